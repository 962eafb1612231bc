#include "train/plan_cache.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#define XXH_INLINE_ALL  // the hash is a header; there is nothing to link
#include <xxhash.h>

#include <ctime>
#include <map>
#include <string>

#include "ops/kernels.hpp"
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

TEST_CASE("plan cache: a time comes back as it was, so that a later process chooses as this one did") {
  const ScratchDirectory folder;
  engine::Timings ours, read;
  ours.add("slower", 0.12345678901234567);
  ours.add("faster", 0.12345678901234566);
  ours.add("tiny", 5e-324);
  ours.drop("wrong");
  train::write_plan_cache(folder / "plan.txt", ours);
  CHECK(train::read_plan_cache(folder / "plan.txt", read).empty());
  CHECK(read.all() == ours.all());
}

TEST_CASE("plan cache: a file whose times have five digits, as they once had, is read") {
  const ScratchDirectory folder;
  const std::string body = "1.2346\tdirect\n1e+12\tdropped\n3.2e-05\ttiny\n";
  train::testing::write_text(folder / "plan.txt", fmt::format("autodidact timings 1\n{}\n{}end 3 {:016x}\n", train::machine_text(), body,
                                                              XXH64(body.data(), body.size(), 0)));
  engine::Timings read;
  CHECK(train::read_plan_cache(folder / "plan.txt", read).empty());
  CHECK(read.all() == std::map<std::string, double>{{"direct", 1.2346}, {"dropped", engine::Timings::kDropped}, {"tiny", 3.2e-5}});
}

TEST_CASE("plan cache: a time belongs to the kernels that it was measured of") {
  const ScratchDirectory folder;
  engine::Timings ours, read;
  ours.add("direct", 1.5);
  train::write_plan_cache(folder / "plan.txt", ours);
  std::string text = train::testing::read_text(folder / "plan.txt");
  const std::string hash = ops::hash_of_kernels();
  REQUIRE(hash.size() == 12);
  REQUIRE(text.find(hash) != std::string::npos);
  train::testing::write_text(folder / "plan.txt", text.replace(text.find(hash), hash.size(), "0123456789ab"));
  CHECK(train::read_plan_cache(folder / "plan.txt", read).find("of other kernels") != std::string::npos);
  CHECK(read.all().empty());
}

TEST_CASE("plan cache: many entries are read in time proportional to their number") {
  const ScratchDirectory folder;
  engine::Timings ours, read;
  constexpr int kEntries = 100'000;
  for (int i = 0; i < kEntries; ++i) ours.add(fmt::format("{:0250}", i), i);
  train::write_plan_cache(folder / "plan.txt", ours);
  const std::clock_t start = std::clock();  // of this process: other load does not count
  CHECK(train::read_plan_cache(folder / "plan.txt", read).empty());
  CHECK(read.size() == kEntries);
  constexpr double kSeconds = 10;  // some 0.1; a hash of all lines before each line takes more than a minute
  CHECK(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC < kSeconds);
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
  for (const char* more : {"x", "\n", "1.5\tmore\n"}) CHECK(refused(whole + more));
  CHECK(refused("autodidact timings 1\nanother machine\nend 0 0\n"));
}

TEST_CASE("plan cache: a folder that cannot be made is an error of the machine") {
  engine::Timings timings;
  CHECK_THROWS_AS(train::write_plan_cache("/proc/none/plan.txt", timings), train::ResourceError);
}
