#include "cli/augment_arguments.hpp"

#include <fmt/format.h>

namespace autodidact::cli {

void AugmentArgument::declare(CLI::App& app, const std::string& purpose) {
  app.add_option("--augment", augment,
                 purpose + "seed[:cifar10|imagenet|svhn], crop-flip, crop-flip-cutout, randaugment[:N,M], none; default: "
                           "crop-flip, for IDX none, for train --compat seed seed");
}

void AugmentArgument::check() const {
  if (!augment.empty()) (void)data::parse_augment(augment);
}

data::AugmentOptions AugmentArgument::value(const data::Source& source, bool seed_compat) const {
  data::AugmentOptions options{.kind = seed_compat ? data::Augment::seed : source.default_augment};
  if (!augment.empty()) options = data::parse_augment(augment);
  options.random_crop = source.random_crop;
  return options;
}

void AugmentArguments::declare(CLI::App& app) {
  AugmentArgument::declare(app);
  app.add_option("--mixup", mixing.mixup, "mix pairs of images with a weight drawn from Beta(A,A) each batch; 0 = never");
  app.add_option("--cutmix", mixing.cutmix,
                 "swap a box between pairs of images, its area drawn from Beta(A,A) each batch; 0 = never; beside --mixup "
                 "each batch takes one of both");
  app.add_option("--cutmix-prob", cutmix_probability, "probability that a batch gets CutMix, 0 to 1; default 1");
  app.add_option("--label-smoothing", label_smoothing, "part of each label that is spread over all classes, 0 to 1");
}

void AugmentArguments::check() const {
  AugmentArgument::check();
  data::check_mixing(mixing_options());
  if (cutmix_probability && mixing.cutmix == 0) throw std::invalid_argument("--cutmix-prob is of --cutmix, which is not given");
  if (!(label_smoothing >= 0 && label_smoothing <= 1))
    throw std::invalid_argument(fmt::format("--label-smoothing must be 0 to 1, got {}", label_smoothing));
}

data::MixingOptions AugmentArguments::mixing_options() const {
  data::MixingOptions options = mixing;
  options.cutmix_probability = cutmix_probability.value_or(1);
  return options;
}

void AugmentArguments::set(train::RunOptions& run, const data::Source& source, bool seed_compat) const {
  run.augment = value(source, seed_compat);
  run.mixing = mixing_options();
  run.trainer.label_smoothing = label_smoothing;
}
}  // namespace autodidact::cli
