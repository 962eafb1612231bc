#include "cli/trained_network.hpp"

#include <fmt/format.h>

#include "train/precision.hpp"

namespace autodidact::cli {

TrainedNetwork::TrainedNetwork(const std::string& weights, const CLI::App& app, const NetworkArguments& network,
                               const RecipeArguments& recipe, const ImageArguments& images)
    : file_(train::read_safetensors(weights)), info_(info_of(file_, app, network, recipe, images)) {}

void TrainedNetwork::take(const data::Source& source) {
  if (info_.channels != source.channels || info_.classes < static_cast<int>(source.class_names.size()))
    throw std::invalid_argument(fmt::format(
        "the network takes {} channels and knows {} classes, the data has {} channels and {} classes", info_.channels,
        info_.classes, source.channels, source.class_names.size()));
  info_.side = source.side;  // global pooling takes any
  take(source.side, source.side);
}

train::Trainer& TrainedNetwork::open(engine::Lanes& lanes, train::ProgramOptions programs, std::int64_t batch) {
  train::TrainerOptions options;
  options.network = train::network_of(info_);
  options.network.image_height = height_ > 0 ? height_ : info_.side;
  options.network.image_width = width_ > 0 ? width_ : info_.side;
  options.network.adaptation.clear();
  options.recipe = model::recipe_by_name(options.network.branches ? "none" : "baseline");
  options.programs = std::move(programs);
  trainer_ = std::make_unique<train::Trainer>(
      train::with_precision(std::move(options), batch, engine::Mode::infer, lanes), lanes);
  for (const std::string& name : train::load_weights(file_, trainer_->store()).ignored)
    if (!name.starts_with("adaptation_layers.")) fmt::print(stderr, "ignored: {}\n", name);
  return *trainer_;
}

data::Normalisation TrainedNetwork::normalisation(const data::Source& source) const {
  return info_.mean.empty() ? source.normalisation.value() : data::Normalisation{info_.mean, info_.std};
}

data::Loader TrainedNetwork::loader(const data::Source& source, const data::DatasetPointer& half, std::size_t batch,
                                    int workers) const {
  return {half, data::Augmentation({.kind = data::Augment::none}, half->shape(), normalisation(source)),
          {.batch = batch, .min_last = 1, .order = data::Order::sequential, .workers = workers}};
}
}  // namespace autodidact::cli
