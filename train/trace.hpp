// train/trace.hpp: one training step with every number in it written down, so that any outside tool can check the engine.
//
// Names, all in plain layouts (NCHW, OIHW):
//   logits/k, feature/k                          k = 1 … 4; features before adaptation
//   loss/ce/k, loss/soft/k, loss/feature/k       each before α, λ and T²; shape []
//   loss/total
//   value/NODE                                   the output of every node, by the names that `plan` prints
//   grad/PARAM                                   before weight decay; only parameters that the loss depends on
//   after/PARAM, after/NAME.running_mean, .running_var    after one step of SGD from zero momentum
//
// Normally everything is kept: nothing is fused, no memory is reused. As trained, the real program runs (fusions, reuse), and
// value/NODE is what still lies in memory when it has ended.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "engine/compile/compile.hpp"
#include "engine/executor.hpp"
#include "model/network.hpp"
#include "model/recipe.hpp"
#include "optim/optimizer.hpp"
#include "train/safetensors.hpp"

namespace autodidact::train {

struct TraceBatch {
  engine::Shape shape;         // (N,C,H,W)
  std::vector<double> images;  // normalised
  std::vector<double> labels;  // N
};
// A batch file (train/image_batch.hpp) with labels. Throws data::DataError naming file and tensor.
TraceBatch read_trace_batch(const std::filesystem::path& path, std::int64_t classes);

struct TraceOptions {
  model::NetworkOptions network = {};
  model::Recipe recipe = {};
  optim::OptimizerOptions optimizer = optim::SgdOptions{};
  double learning_rate = 0.1;
  engine::Choose choose = engine::Choose::direct;
  engine::Backend backend = engine::Backend::fast;
  engine::Precision precision = engine::Precision::f32;  // of the fast backend
  engine::Recompute recompute = engine::Recompute::automatic;  // as_trained only
  engine::Branches branches = engine::Branches::automatic;
  bool as_trained = false;                                     // Backend::fast only
};

struct TracedTensor {
  std::string name;
  engine::Shape shape;
  std::vector<double> numbers;
};

struct Trace {
  std::vector<TracedTensor> tensors;
  double loss = 0;
  std::vector<std::string> ignored;            // tensors of the weights file that the network does not need
  std::optional<engine::NonFinite> nonfinite;  // the first number that went wrong, if one did
};

// Throws FileFormatError if the weights do not fit the network, std::invalid_argument if network, recipe or batch do not fit
// each other.
Trace trace_step(const TraceOptions& options, const SafetensorsFile& weights, const TraceBatch& batch,
                 engine::Lanes& lanes);

// F32, or F64 for the reference backend. Atomic.
void write_trace(const std::filesystem::path& path, const Metadata& metadata, const Trace& trace,
                 engine::Backend backend);
}  // namespace autodidact::train
