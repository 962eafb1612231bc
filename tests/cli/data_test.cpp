// `autodidact data` as its users run it.
#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "data/operation.hpp"
#include "data/png.hpp"
#include "tests/cli/program.hpp"

namespace {
using namespace autodidact::cli::testing;
using namespace autodidact;
namespace fs = std::filesystem;

const std::string kData = " --data synthetic:40,side=16,classes=4 ";

data::Image some_image(data::ImageShape shape) {
  data::Image image{shape, {}};
  for (std::size_t i = 0; i < shape.bytes(); ++i) image.pixels.push_back(static_cast<std::uint8_t>(i * 37 % 256));
  return image;
}
}  // namespace

TEST_CASE("data --apply does one operation to one image, with a sign if it has one") {
  const ScratchDirectory folder;
  const std::string in = (folder / "in.png").string(), out = (folder / "out.png").string();
  for (const data::ImageShape shape : {data::ImageShape{3, 12, 9}, {1, 10, 10}}) {
    const data::Image image = some_image(shape);
    write_text(in, data::encode_png(image));
    for (const char* text : {"shearX:5", "shearX:-5", "rotate:3", "equalize"}) {
      CAPTURE(text);
      const Outcome outcome = run("data --apply " + std::string(text) + " " + in + " " + out);
      CHECK(outcome.status == 0);
      CHECK(outcome.err.empty());
      data::Image expected = image;
      std::vector<std::uint8_t> scratch;
      data::apply(data::parse_operation(text), expected, scratch);
      const data::Image result = data::read_png(out);
      CHECK(result.shape == expected.shape);
      CHECK((result.pixels == expected.pixels));
    }
  }
}

TEST_CASE("data --preview writes a contact sheet, the same for the same seed") {
  const ScratchDirectory folder;
  const std::string a = (folder / "a.png").string(), b = (folder / "b.png").string();
  const std::string options = "data" + kData + "--samples 3 --augment seed --preview ";
  const Outcome outcome = run(options + a);
  CHECK(outcome.status == 0);
  CHECK(contains(outcome.err, "3 samples"));
  const data::Image sheet = data::read_png(a);
  CHECK(sheet.shape == data::ImageShape{3, 4 + 3 * (64 + 4), 8 * (64 + 4) + 20});
  REQUIRE(run(options + b).status == 0);
  CHECK((read_text(a) == read_text(b)));
  REQUIRE(run(options + b + " --seed 1").status == 0);
  CHECK((read_text(a) != read_text(b)));
}

TEST_CASE("data --stats counts the images of each class and measures the pixels") {
  const Outcome table = run("data --stats" + kData);
  CHECK(table.status == 0);
  CHECK(contains(table.out, "4 classes, images of 3 channels and 16×16 pixels"));
  const Outcome outcome = run("data --stats --json -" + kData);
  CHECK(outcome.status == 0);
  const auto json = nlohmann::json::parse(outcome.out);
  CHECK(json["train"]["images"] == 40);
  CHECK(json["train"]["per_class"] == nlohmann::json{10, 10, 10, 10});
  CHECK(json["test"]["images"] == 8);
  CHECK(json["train"]["mean"].size() == 3);
  CHECK(json["normalisation"]["mean"] == json["train"]["mean"]);
}

TEST_CASE("data --throughput counts what the loader makes") {
  const Outcome outcome = run("data --throughput --augment crop-flip" + kData);
  CHECK(outcome.status == 0);
  CHECK(contains(outcome.out, "crop-flip: "));
  CHECK_FALSE(contains(outcome.out, "(0 images"));
  CHECK(contains(outcome.out, "images a second of one core"));
}

TEST_CASE("data: what it cannot do is said in one sentence with the code of its kind") {
  const ScratchDirectory folder;
  const std::string in = (folder / "in.png").string(), out = (folder / "out.png").string();
  write_text(in, data::encode_png(some_image({3, 6, 6})));
  const std::string files = " " + in + " " + out;
  check_failure(run("data"), 2, {"--stats, --preview, --throughput, --export or --apply"});
  check_failure(run("data --stats"), 2, {"--stats needs --data"});
  check_failure(run("data --preview " + out), 2, {"--preview needs --data"});
  check_failure(run("data --apply invert " + in), 2, {"--apply takes two files"});
  check_failure(run("data --stats" + kData + in), 2, {"only --apply takes files"});
  check_failure(run("data --json " + out + " --preview " + out + kData), 2, {"--json is of --stats"});
  check_failure(run("data --apply shearX" + files), 2, {"shearX needs a level from -9 to 9"});
  check_failure(run("data --apply shear:5" + files), 2, {"unknown operation \"shear\""});
  check_failure(run("data --augment cutmix --preview " + out + kData), 2, {"unknown augmentation \"cutmix\""});
  check_failure(run("data --augment seed --preview " + out + " --data synthetic:40,channels=2"), 2, {"1 or 3 channels"});
  check_failure(run("data --samples 0 --preview " + out + kData), 2, {"--samples"});
  check_failure(run("data --apply invert " + (folder / "none.png").string() + " " + out), 3, {"none.png: no such file"});
  const std::string damaged = (folder / "damaged.png").string();
  write_text(damaged, read_text(in).substr(0, 50));
  check_failure(run("data --apply invert " + damaged + " " + out), 3, {"damaged.png: damaged PNG"});
  check_failure(run("data --apply invert " + in + " " + (folder / "no/out.png").string()), 7, {"out.png"});
  CHECK_FALSE(fs::exists(out));
}
