// A short fuzz run of every parser of outside bytes, under the address and undefined-behaviour sanitizers: each target of
// tests/fuzz/ is given its corpus and inputs that are made from it. `./run fuzz` is the long run.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <set>
#include <sstream>
#include <string>

#include "tests/train/scratch.hpp"

namespace {
namespace fs = std::filesystem;
using namespace autodidact::train::testing;

constexpr const char* kMutations = "500";  // of each target: some five seconds of processor time in all

const fs::path kCorpus = fs::path(AUTODIDACT_SOURCE_DIR) / "tests/fuzz/corpus";

std::set<std::string> targets() {
  std::istringstream list(AUTODIDACT_FUZZ_TARGETS);
  return {std::istream_iterator<std::string>(list), {}};
}
}  // namespace

TEST_CASE("fuzz: every parser of outside bytes reads or refuses in one sentence whatever it is given") {
  for (const std::string& target : targets()) {
    CAPTURE(target);
    const ScratchDirectory folder;
    const std::string said = (folder / "said").string();
    const std::string command = fmt::format("'{}/fuzz_{}' '{}' {} >'{}' 2>&1 </dev/null", AUTODIDACT_FUZZ_FOLDER, target,
                                            (kCorpus / target).string(), kMutations, said);
    const int status = std::system(command.c_str());
    INFO(read_text(said));
    CHECK(status == 0);
  }
}

TEST_CASE("fuzz: every corpus belongs to a target, and all of them are small") {
  std::set<std::string> found;
  std::uintmax_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(kCorpus))
    if (entry.is_directory()) found.insert(entry.path().filename().string());
    else bytes += entry.file_size();
  CHECK(found == targets());
  constexpr std::uintmax_t kMostBytes = 300'000;
  CHECK(bytes < kMostBytes);
}
