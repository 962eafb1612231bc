// cli/trained_network.hpp: a file of weights as the commands that only use a network open it: eval, calibrate, predict.
#pragma once
#include <memory>
#include <string>

#include "cli/arguments.hpp"
#include "data/loader.hpp"
#include "data/source.hpp"
#include "train/trainer.hpp"

namespace autodidact::cli {

class TrainedNetwork {
 public:
  // Reads the file. What it does not say of its network the options must.
  TrainedNetwork(const std::string& weights, const CLI::App& app, const NetworkArguments& network, const RecipeArguments& recipe,
                 const ImageArguments& images);

  // Of the images that it is used on.
  const train::ModelInfo& info() const { return info_; }

  // From now on for images of this source; std::invalid_argument if they do not fit.
  void take(const data::Source& source);
  // From now on for images of so many pixels.
  void take(std::int64_t height, std::int64_t width) { height_ = height, width_ = width; }
  // Compiles nothing yet. Logits only: neither loss nor adaptation layers.
  // `batch`: images at a time, no more than there are, by which --precision auto tries.
  train::Trainer& open(engine::Lanes& lanes, train::ProgramOptions programs, std::int64_t batch);

  // The figures that the weights were trained with; those of the source only if the file does not say, and then it must have some.
  data::Normalisation normalisation(const data::Source& source) const;
  // Batches of it in order, as they are.
  data::Loader loader(const data::Source& source, const data::DatasetPointer& half, std::size_t batch, int workers) const;

 private:
  train::SafetensorsFile file_;
  train::ModelInfo info_;
  std::int64_t height_ = 0, width_ = 0;
  std::unique_ptr<train::Trainer> trainer_;
};
}  // namespace autodidact::cli
