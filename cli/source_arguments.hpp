// cli/source_arguments.hpp: what data, and how folders and shards of images become samples: --data --size --resize --crop --grey
// --on-bad --workers.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "cli/command.hpp"
#include "data/source.hpp"

namespace autodidact::cli {

struct SourceArguments {
  std::string data;
  std::optional<int> size, resize;
  std::string crop = "random", on_bad = "stop";
  bool grey = false;
  int workers = 1;

  CLI::Option* declare(CLI::App& app);  // --data
  // `size_if_mixed`: for images of several sizes where --size is not given. `class_names`: of the network that is tested.
  data::Source open(data::Parts parts = data::Parts::train_and_test,
                    std::optional<int> size_if_mixed = {},
                    std::vector<std::string> class_names = {}) const;
};
}  // namespace autodidact::cli
