// Files of timings, as they are, and with the lines in front and the checksum put right, behind which damage would otherwise hide;
// and the timings that a checkpoint keeps. They are only ever left unread.
#include "train/plan_cache.hpp"

#include <fmt/format.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cmath>

#include "tests/fuzz/fuzz.hpp"
#include "train/plan_choices.hpp"

namespace {
using namespace autodidact;

void require_sensible(const engine::Timings& timings) {
  for (const auto& [key, ms] : timings.all())
    if (!std::isfinite(ms) || ms < 0) fuzz::fail("a time cannot be", key);
}

void read(const std::filesystem::path& path) {
  engine::Timings timings;
  const std::string reason = train::read_plan_cache(path, timings);
  if (!reason.empty()) fuzz::require_sentence(reason);
  if (!reason.empty() && timings.size() != 0) fuzz::fail("a file that is not used was used", reason);
  require_sensible(timings);
}
}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::Folder folder;
  static const std::string machine = train::machine_text();
  const std::string body(fuzz::text_of({data, size}));
  read(folder.write("plan.txt", {data, size}));
  const std::string sealed = fmt::format("autodidact timings 1\n{}\n{}\nend {} {:016x}\n", machine, body, std::count(body.begin(), body.end(), '\n') + 1,
                                         XXH64((body + "\n").data(), body.size() + 1, 0));
  read(folder.write("plan.txt", fuzz::bytes_of(sealed)));
  engine::Timings adopted;
  train::adopt_timings(body, adopted);
  require_sensible(adopted);
  return 0;
}
