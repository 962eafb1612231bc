// train/programs.hpp: the compiled programs of one network, one for each batch size and use, made when first asked for.
//
// All share the executor's arena and one parameter layout. The first training program measures its choices; those of other batch
// sizes (the smaller last batch of an epoch, evaluation) inherit them. A program comes with the scalars of the recipe and of its
// batch size already set.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/compile/compile.hpp"
#include "engine/executor.hpp"
#include "engine/parameter_store.hpp"
#include "model/distillation_loss.hpp"
#include "model/network.hpp"
#include "model/recipe.hpp"
#include "train/segment.hpp"

namespace autodidact::train {

// The graph of a network with its loss, for `batch` images.
engine::Graph training_graph(const model::NetworkOptions& network, const model::Recipe& recipe,
                             std::int64_t batch, model::BatchPart part = model::BatchPart::whole);

// How all of them are compiled.
struct ProgramOptions {
  engine::Choose choose = engine::Choose::measure;
  engine::Recompute recompute = engine::Recompute::automatic;
  engine::Branches branches = engine::Branches::automatic;
  std::vector<std::string> prefer = {};  // what a run that is resumed had chosen (engine::CompileOptions::prefer)
  // A file that keeps measurements between runs (train/plan_cache.hpp); empty: none. Used by Choose::measure only.
  std::filesystem::path plan_cache = {};
  // reference: every number of a step in f64, the optimizer's too. For proofs: there is no tally and no evaluation then.
  engine::Backend backend = engine::Backend::fast;
  // Training programs normalise by the running statistics and leave them alone; γ and β are trained all the same (ops/batch_norm.hpp).
  bool freeze_batch_norm = false;
  // What training programs are for: micro, pieces of batches (train/batch_gradient.hpp).
  model::BatchPart part = model::BatchPart::whole;
  engine::Precision precision = engine::Precision::f32;
  // --precision auto: `precision` is yet to be found (train/precision.hpp).
  bool find_precision = false;
};

class Programs {
 public:
  Programs(model::NetworkOptions network, model::Recipe recipe, engine::Lanes& lanes,
           ProgramOptions options);

  const model::NetworkOptions& network() const { return network_; }
  const model::Recipe& recipe() const { return recipe_; }
  const std::shared_ptr<const engine::ParameterLayout>& layout() const { return layout_; }
  // Of the parameter store that the programs bind.
  engine::DType master() const {
    return options_.backend == engine::Backend::reference ? engine::DType::f64 : engine::DType::f32;
  }

  // Forward, loss, backward and running statistics.
  engine::Program& training(std::int64_t batch);
  // Logits by the running statistics; no gradients.
  engine::Program& inference(std::int64_t batch);
  // A part of it, by its choices at the batch size that `options` names. The caller keeps it.
  engine::Program segment(const Segment& segment, const SegmentOptions& options);

  // Writes what has been measured in this process into the plan cache, if there is one.
  void keep_timings();

 private:
  enum class Use : std::uint8_t { training, inference };
  engine::Program make(std::int64_t batch, Use use, const engine::Program* inherit);
  engine::CompileOptions options_for(Use use, const engine::Program* inherit) const;
  engine::Program compile(const engine::Graph& graph, const engine::CompileOptions& options);

  model::NetworkOptions network_;
  model::Recipe recipe_;
  engine::Lanes& lanes_;
  ProgramOptions options_;
  std::shared_ptr<const engine::ParameterLayout> layout_;
  std::map<std::int64_t, std::unique_ptr<engine::Program>> training_, inference_;
  const engine::Program* main_ = nullptr;
  std::set<std::string> said_;  // of candidates that were dropped
};
}  // namespace autodidact::train
