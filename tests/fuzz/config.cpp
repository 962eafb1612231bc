// Files of options (TOML), read by `train`: options as used are printed, and nothing else is done.
#include <cstdio>
#include <stdexcept>

#include "cli/command.hpp"
#include "tests/fuzz/fuzz.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace autodidact;
  static const fuzz::Folder folder;
  static const bool quiet = std::freopen("/dev/null", "w", stdout) != nullptr;
  if (!quiet) fuzz::fail("standard output cannot be closed", "");
  const auto path = folder.write("c.toml", {data, size});
  fuzz::parses_or_refuses<std::invalid_argument>([&] {
    try {
      cli::run_train({"--config", path.string(), "--dump-config", "--data", "synthetic", "--out", "o"});
      fuzz::fail("a configuration was not printed", "");
    } catch (const cli::Answered&) {
    }
  });
  return 0;
}
