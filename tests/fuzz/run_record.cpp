// A run directory as `report` reads it: the bytes as metrics.jsonl beside a good config.toml, then the other way round; what is read
// is made a page.
#include "train/run_record.hpp"

#include "data/error.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "train/report.hpp"

namespace {
using namespace autodidact;

constexpr std::string_view kMetrics =
    "{\"step\":1,\"epoch\":0.5,\"lr\":0.1,\"loss\":4.5,\"exits\":[20,null,25,26.5],\"ensemble\":27,\"images_per_s\":812.5}\n"
    "{\"step\":2,\"epoch\":1,\"lr\":0.1,\"loss\":4.25,\"exits\":[21,null,25,26.5],\"ensemble\":28,\"images_per_s\":800}\n";
constexpr std::string_view kConfig = "# machine: a CPU, 2 threads\nlr=0.1\nmodel=\"resnet18\"\n";
}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::Folder folder;
  const auto read = [&](fuzz::Bytes metrics, fuzz::Bytes config) {
    folder.write("metrics.jsonl", metrics);
    folder.write("config.toml", config);
    fuzz::parses_or_refuses<data::DataError>([] {
      const train::RunRecord run = train::read_run(folder.path());
      if (train::report_html({&run, 1}).empty()) fuzz::fail("a report is empty", run.path);
    });
  };
  read({data, size}, fuzz::bytes_of(kConfig));
  read(fuzz::bytes_of(kMetrics), {data, size});
  return 0;
}
