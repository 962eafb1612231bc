// cli/source_arguments.hpp: what data, and how folders and shards of images become samples: --data --size --resize --crop --grey
// --on-bad --workers.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "cli/command.hpp"
#include "data/source.hpp"
#include "train/weights.hpp"

namespace autodidact::cli {

struct SourceArguments {
  std::string data;
  std::optional<int> size, resize;
  std::string crop = "random", on_bad = "stop";
  bool grey = false;
  int workers = 1;

  CLI::Option* declare(CLI::App& app);  // --data
  // `size_if_mixed`: for images of several sizes where --size is not given.
  data::Source open(std::optional<int> size_if_mixed = {}) const;
  // For a network that is trained already: where --size is not given, images are brought to its size as those of its training were.
  data::Source open(data::Parts parts, const train::ModelInfo& network) const;

 private:
  data::SourceOptions options() const;
};
}  // namespace autodidact::cli
