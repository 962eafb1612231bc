// train/segment.hpp: a part of a network as a program of its own: from one stage's output to another's, and an exit's logits there.
//
// A chain of segments, each fed with what the one before hands on, computes what the whole network does; between two of them samples may
// leave. Stage 0 stands for the images.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "engine/compile/compile.hpp"
#include "model/network.hpp"

namespace autodidact::train {

// Reads the output of stage `from` (0: the images), runs the stages from+1 … to, and the exit `head` (0: none), which hangs on stage `to`.
// to == from: the exit alone.
struct Segment {
  int from = 0, to = model::kExits, head = model::kExits;
  bool hands_on() const { return to > from && (to < model::kExits || head == 0); }
  auto operator<=>(const Segment&) const = default;
};

struct SegmentOptions {
  std::int64_t batch = 1;    // images
  std::int64_t inherit = 1;  // the batch size of the inference program whose choices it takes over: the same algorithms, so the same logits
  std::optional<engine::FeedType> feed = {};  // how stage `from` lies, as the segment before hands it on; images are plain and f32
  // false: the exit runs wide, as everything: the fastest, for it is alone. true: as in the inference program, in its narrow lane if that has lanes: the same
  // tasks on as many threads as in the inference program.
  bool lanes = false;
};

inline constexpr const char* kHandedOn = "stage";  // the output of a segment that hands on
// Its one input, by name.
inline const std::string& feed_of(const engine::Program& segment) { return segment.inputs().begin()->first; }

// The graph of the network, and in `compile` the outputs and feeds that cut the segment out of it.
engine::Graph segment_graph(const model::NetworkOptions& network, const Segment& segment, const SegmentOptions& options,
                            engine::CompileOptions& compile);
}  // namespace autodidact::train
