// A run directory as `report` and `train --compare --resume auto` read it: the bytes as each of its files in turn, beside good ones. What
// is read is made a page, and the result is written and read again.
#include "train/run_record.hpp"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "data/error.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "train/report.hpp"

namespace {
using namespace autodidact;

constexpr std::string_view kMetrics =
    "{\"step\":1,\"epoch\":0.5,\"lr\":0.1,\"loss\":4.5,\"exits\":[20,null,25,26.5],\"ensemble\":27,\"images_per_s\":812.5}\n"
    "{\"step\":2,\"epoch\":1,\"lr\":0.1,\"loss\":4.25,\"exits\":[21,null,25,26.5],\"ensemble\":28,\"images_per_s\":800}\n";
constexpr std::string_view kConfig = "# machine: a CPU, 2 threads\nlr=0.1\nmodel=\"resnet18\"\n";
constexpr std::string_view kResult =
    "{\"steps\":2,\"best_epoch\":1,\"best_on\":\"validation\",\"test\":{\"exits\":[20,null,25,26.5],\"ensemble\":27},"
    "\"best\":{\"exits\":[21,null,25,26.5],\"ensemble\":28}}\n";
constexpr std::string_view kConfusion = "{\"classes\":2,\"class_names\":[\"cat\",\"dog\"],\"exits\":[null,null,null,[[7,3],[0,10]]],\"ensemble\":null}\n";
constexpr std::array<std::pair<const char*, std::string_view>, 4> kFiles{
    {{"metrics.jsonl", kMetrics}, {"config.toml", kConfig}, {"result.json", kResult}, {"confusion.json", kConfusion}}};

void use(const train::RunRecord& run) {
  if (train::report_html({&run, 1}).empty()) fuzz::fail("a report is empty", run.path);
  if (!run.result || !run.confusion) fuzz::fail("a file of the run was not read", run.path);
  const std::string written = train::to_json(*run.result).dump();
  if (train::to_json(train::result_from_json(written)).dump() != written) fuzz::fail("what was read and written is not read back", written);
}
}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::Folder folder;
  static bool begun = false;
  for (const auto& [name, good] : kFiles)
    if (!begun) folder.write(name, fuzz::bytes_of(good));
  begun = true;
  for (const auto& [name, good] : kFiles) {
    folder.write(name, {data, size});
    fuzz::parses_or_refuses<data::DataError>([] { use(train::read_run(folder.path())); });
    folder.write(name, fuzz::bytes_of(good));
  }
  return 0;
}
