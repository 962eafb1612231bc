#include "cli/source_arguments.hpp"

#include <fmt/format.h>

#include "data/cache_folder.hpp"
#include "data/resize.hpp"
#include "train/interruption.hpp"
#include "train/progress.hpp"

namespace autodidact::cli {

CLI::Option* SourceArguments::declare(CLI::App& app) {
  app.add_option("--size", size,
                 "folder:, tar: pixels a side that images are brought to; default: as they are, "
                 "all of one size");
  app.add_option(
      "--resize", resize,
      "folder:, tar: pixels of the short side before the middle is cut out; default: size·256/224");
  app.add_option(
         "--crop", crop,
         "with --size, what training sees: random (random-resized crops), centre (the middle)")
      ->check(CLI::IsMember({"random", "centre"}));
  app.add_flag("--grey", grey, "folder:, tar: images of one channel");
  app.add_option("--on-bad", on_bad,
                 "folder:, tar: damaged images: stop, skip (left out, counted and named)")
      ->check(CLI::IsMember({"stop", "skip"}));
  app.add_option("--workers", workers, "threads that read and augment images")
      ->check(CLI::Range(1, 64));
  return app.add_option("--data", data,
                        "fashion-mnist[:DIR], cifar100:DIR, cifar10:DIR, idx:DIR, folder:DIR, "
                        "tar:DIR, synthetic[:N]");
}

data::SourceOptions SourceArguments::options() const {
  data::SourceOptions options;
  options.size = size;
  options.resize = resize;
  options.random_crop = crop == "random";
  options.grey = grey;
  options.on_bad = on_bad == "skip" ? data::OnBad::skip : data::OnBad::stop;
  options.cache_folder = data::user_cache_folder();
  options.say = [](const std::string& line) { train::say(line); };
  options.stop = [] { return train::Interruption::signal() != 0; };  // never where nothing catches signals
  return options;
}

data::Source SourceArguments::open(std::optional<int> size_if_mixed) const {
  data::SourceOptions chosen = options();
  chosen.size_if_mixed = size_if_mixed;
  return data::open_source(data, data::Parts::train_and_test, chosen);
}

data::Source SourceArguments::open(data::Parts parts, const train::ModelInfo& network) const {
  data::SourceOptions chosen = options();
  chosen.size_if_mixed = network.side;
  chosen.class_names = network.class_names;
  const bool images = data.starts_with("folder:") || data.starts_with("tar:");
  chosen.grey |= images && network.channels == 1;
  if (images && network.resize && !size) {
    chosen.size = network.side;
    if (!resize && *network.resize != data::usual_resize(network.side))
      chosen.resize = network.resize;
    train::say(fmt::format(
        "images are brought to {0}×{0} pixels{1}: the short side to {2}, then the middle\n",
        network.side, resize ? "" : " as in training", resize.value_or(*network.resize)));
  }
  return data::open_source(data, parts, chosen);
}
}  // namespace autodidact::cli
