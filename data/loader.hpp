// data/loader.hpp: batches, made ahead of the step by background threads.
//
// A ring of batches is filled by workers while the consumer computes. What a batch holds is a function of (seed, epoch, batch)
// alone: the order is permutation(seed, Purpose::order, epoch), or shard_order where a dataset has shards; sample i of the dataset is
// cropped and augmented with Random(seed, Purpose::augmentation, epoch, i), batch b is mixed with Random(seed, Purpose::mixing, epoch,
// b). So the number of workers, their timing and restarts change nothing.
//
//   for (std::uint64_t epoch = 0; epoch < epochs; ++epoch) {
//     loader.start(epoch);                                       // free: the loader has already gone on to the next epoch
//     while (const Batch* batch = loader.next()) step(*batch);
//   }
//
// Waiting is on condition variables: an idle loader uses no processor. One consumer thread; all members are for it alone.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <span>
#include <thread>
#include <vector>

#include "data/augment.hpp"
#include "data/batch_plan.hpp"
#include "data/dataset.hpp"
#include "data/mixing.hpp"

namespace autodidact::data {

// Valid until the next call of next() or start().
struct Batch {
  std::span<const float> images;         // count·C·H·W, plain, normalised; 64-byte aligned
  std::span<const std::int32_t> labels;  // count
  std::size_t count = 0;
  std::uint64_t epoch = 0;
  std::size_t index = 0;  // of the batch in its epoch
  // Where pictures are mixed (mixing.hpp): count labels of the second picture in each, and the weight of the first. Else empty.
  std::span<const std::int32_t> second_labels = {};
  double weight = 1;
};

enum class Order { sequential, shuffled };

class Loader {
 public:
  struct Options {
    std::size_t batch = 128;
    std::size_t min_last = 2;  // see batch_plan.hpp
    Order order =
        Order::shuffled;  // evaluation: sequential, an Augmentation of kind none, min_last 1
    std::uint64_t seed = 0;
    MixingOptions mixing = {};
    int workers = 1;        // 1 … 64
    std::size_t ahead = 4;  // batches made early, 1 … 1024; at least one a worker
  };

  // Starts the workers, at epoch 0. std::invalid_argument for options out of range, an empty dataset, or where the augmentation was
  // made for another shape.
  Loader(DatasetPointer dataset, const Augmentation& augmentation, const Options& options);
  ~Loader();  // at any moment; waits for at most one sample a worker
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  const BatchPlan& plan() const { return plan_; }

  // The next batch will be this one. first_batch ≤ plan().count(), else std::invalid_argument; count() is the end of the epoch.
  // Batches made ahead are kept where the loader stands there already.
  void start(std::uint64_t epoch, std::size_t first_batch = 0);

  // The next batch of the epoch, or null once at its end, after which the next epoch follows. What went wrong in a worker is
  // thrown here, in place of the batch it concerns, until start() is called.
  const Batch* next();

  // Seconds that next() had to wait for a batch so far: near zero when the loader keeps up.
  double starved_seconds() const { return starved_seconds_; }

 private:
  struct FreeAligned {
    void operator()(float* p) const { ::operator delete[](p, std::align_val_t{64}); }
  };
  struct Slot {
    std::unique_ptr<float[], FreeAligned> images;
    std::vector<std::int32_t> labels, second_labels;
    Batch batch;
    bool ready = false;
    std::exception_ptr error;
  };
  class Worker;

  void work(const std::stop_token& stop, Worker& worker);
  Slot& slot(std::uint64_t ticket) { return slots_[ticket % slots_.size()]; }

  DatasetPointer dataset_;
  Options options_;
  BatchPlan plan_;

  // A ticket numbers the batches of all epochs: epoch · plan_.count() + index.
  std::mutex mutex_;
  std::condition_variable_any room_;  // a slot is free, or the loader stops
  std::condition_variable made_;      // a worker is done with a slot
  std::vector<Slot> slots_;
  std::uint64_t front_ = 0;   // ticket that the consumer holds or gets next
  std::uint64_t issued_ = 0;  // ticket that a worker takes next
  int busy_ = 0;              // workers inside a slot
  std::atomic<bool> restarting_ = false;

  // The consumer's own.
  std::uint64_t epoch_ = 0;
  std::size_t index_ = 0;
  bool holding_ = false;
  double starved_seconds_ = 0;

  std::vector<std::jthread> threads_;  // last: joined before anything they use goes
};

}  // namespace autodidact::data
