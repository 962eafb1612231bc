// cli/augment_arguments.hpp: what training pictures and labels go through: --augment --mixup --cutmix --cutmix-prob --label-smoothing.
#pragma once
#include <optional>
#include <string>

#include "cli/command.hpp"
#include "data/source.hpp"
#include "train/training_run.hpp"

namespace autodidact::cli {

// --augment alone, which `data` has too. Empty: the data's own, or `seed` where the published program is followed.
struct AugmentArgument {
  std::string augment;
  void declare(CLI::App& app, const std::string& purpose = "");
  void check() const;
  data::AugmentOptions value(const data::Source& source, bool seed_compat = false) const;
};

struct AugmentArguments : AugmentArgument {
  data::MixingOptions mixing;
  std::optional<double> cutmix_probability;
  double label_smoothing = 0;
  void declare(CLI::App& app);
  void check() const;  // the mistakes that are seen without the data
  void set(train::RunOptions& run, const data::Source& source, bool seed_compat) const;

 private:
  data::MixingOptions mixing_options() const;
};
}  // namespace autodidact::cli
