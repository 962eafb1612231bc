#include "train/plan_cache.hpp"

#include <doctest/doctest.h>

#include <string>

#include "tests/train/scratch.hpp"
#include "train/errors.hpp"

namespace {
using namespace autodidact;
using train::testing::ScratchDirectory;

void fill(engine::Timings& timings) {
  timings.add("convolution groups 1 direct (8,64,32,32)", 1.25);
  timings.add("winograd", 0.5);
}
}  // namespace

TEST_CASE("plan cache: what is written is read, and what another process added stays") {
  const ScratchDirectory folder;
  const auto path = folder / "deep" / "plan.txt";
  engine::Timings ours, theirs, read;
  fill(ours);
  train::write_plan_cache(path, ours);
  theirs.add("matmul", 2);
  theirs.add("winograd", 7);  // measured twice: each process keeps its own
  train::write_plan_cache(path, theirs);
  CHECK(train::read_plan_cache(path, read).empty());
  CHECK(read.all().size() == 3);
  CHECK(read.find("convolution groups 1 direct (8,64,32,32)") == 1.25);
  CHECK(read.find("matmul") == 2);
}

TEST_CASE("plan cache: no file is no fault") {
  const ScratchDirectory folder;
  engine::Timings timings;
  CHECK(train::read_plan_cache(folder / "none.txt", timings).empty());
  CHECK(timings.all().empty());
}

TEST_CASE("plan cache: any byte changed, cut or added leaves the file unread") {
  const ScratchDirectory folder;
  const auto path = folder / "plan.txt";
  engine::Timings written;
  fill(written);
  train::write_plan_cache(path, written);
  const std::string whole = train::testing::read_text(path);
  const auto refused = [&](const std::string& text) {
    train::testing::write_text(path, text);
    engine::Timings timings;
    const std::string reason = train::read_plan_cache(path, timings);
    return !reason.empty() && timings.all().empty();
  };
  for (std::size_t at = 0; at + 1 < whole.size(); ++at) {
    CAPTURE(at);
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    CHECK(refused(damaged));
    CHECK(refused(whole.substr(0, at)));
  }
  CHECK(refused("autodidact timings 1\nanother machine\nend 0 0\n"));
}

TEST_CASE("plan cache: a folder that cannot be made is an error of the machine") {
  engine::Timings timings;
  CHECK_THROWS_AS(train::write_plan_cache("/proc/none/plan.txt", timings), train::ResourceError);
}
