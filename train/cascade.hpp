// train/cascade.hpp: inference that stops early. The network as a chain of segments; behind each exit some images leave the batch, and
// the rest goes on in a program for fewer images.
//
// Batch sizes are the rungs of a ladder: N, 3N/4, N/2, 3N/8 … The images that are left are put together at the front of the next
// segment's input, and the program is that of the smallest rung that holds them; what lies behind them is left over from before, and
// nobody reads it. Programs are compiled when first needed. The classifiers treat images apart (inference normalises by the running
// statistics), so an image's logits do not depend on who else is in its batch; they are those of the full run up to rounding, since
// the segments take over its algorithms.
// Without compaction every batch stays whole to the end, in programs of exactly its size with the full run's tasks and threads: with
// Choose::fixed its logits are the same bits. That is for proof, not for speed.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <vector>

#include "engine/executor.hpp"
#include "train/programs.hpp"

namespace autodidact::train {

// Batch sizes for at most `batch` images, descending to 1; and the smallest that holds `images`, 1 … batch.
std::vector<std::int64_t> ladder(std::int64_t batch);
std::int64_t rung(std::int64_t batch, std::int64_t images);

// The segments between kept exits, the last of which ends with exit 4. `exits`: of 1 … 3, ascending.
std::vector<Segment> chain(std::span<const int> exits);

// Copies samples of the output of one program, or of any tensor, to the front of another's input. `rows`: which, in order. Throws
// std::logic_error where they do not fit.
void hand_over(engine::Lanes& lanes, std::span<const std::byte> from, std::span<std::byte> to, std::size_t bytes_each,
               std::span<const std::size_t> rows);

struct CascadeOptions {
  std::vector<int> exits = {1, 2, 3};  // those that are computed beside exit 4, ascending
  std::int64_t batch = 128;            // the most images of a batch
  bool compact = true;
};

// What became of the images of one batch.
struct CascadeResult {
  std::vector<int> left_at;                                // of each image; 4: went to the end
  std::array<std::vector<float>, model::kExits> logits = {};  // of exit k, (N,Q): where the image came so far, elsewhere undefined
  std::int64_t classes = 0;
  std::span<const float> of(int exit, std::size_t image) const {
    const auto q = static_cast<std::size_t>(classes);
    return std::span(logits[static_cast<std::size_t>(exit - 1)]).subspan(image * q, q);
  }
};

class Cascade {
 public:
  // Does the image leave at this exit, having these logits? Asked at every kept exit but 4, of every image that is still there.
  using Leaves = std::function<bool(int exit, std::size_t image, std::span<const float> logits)>;

  // All three outlive it. std::invalid_argument for exits that the network has not.
  Cascade(Programs& programs, engine::Executor& executor, engine::ParameterStore& store, CascadeOptions options);

  // `images`: N·C·H·W numbers, normalised, N of 1 … options.batch. Valid until the next call. NumericalError for logits that are not finite.
  const CascadeResult& run(std::span<const float> images, const Leaves& leaves);

 private:
  // An image that is still there, and its row in the batch of the segment that ran last.
  struct Row {
    std::size_t image, row;
  };
  engine::Program& program(std::size_t segment, std::int64_t batch, engine::FeedType feed);
  void feed(engine::Program& program);
  void read_logits(const engine::Program& program, const Segment& segment, const Leaves& leaves);

  Programs& programs_;
  engine::Executor& executor_;
  engine::ParameterStore& store_;
  CascadeOptions options_;
  std::vector<Segment> segments_;
  struct Key {
    std::size_t segment;
    std::int64_t batch, block;
    auto operator<=>(const Key&) const = default;
  };
  std::map<Key, engine::Program> compiled_;
  CascadeResult result_;
  std::vector<Row> rows_;
  std::vector<std::size_t> sources_;
  std::span<const std::byte> handed_on_;  // the images, or the output of the segment that ran last
  std::size_t bytes_each_ = 0;            // of one sample in it
};
}  // namespace autodidact::train
