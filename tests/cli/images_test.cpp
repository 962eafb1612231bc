// Folders and shards of images through the program.
#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "engine/random.hpp"
#include "tests/cli/program.hpp"
#include "tests/data/encoded_images.hpp"

namespace {
using namespace autodidact::cli::testing;
using namespace autodidact;
namespace fs = std::filesystem;

// 40 images of several sizes in two classes to train on, 6 to test on; the index is kept beside them.
class Pictures {
 public:
  Pictures() {
    for (int i = 0; i < 46; ++i) {
      const fs::path path = folder_ / "images" / (i < 40 ? "train" : "test") /
                            (i % 2 ? "cat" : "dog") / (std::to_string(100 + i) + ".jpg");
      fs::create_directories(path.parent_path());
      write_text(path, data::jpeg_of({3, 14 + i % 7, 12 + i % 5}, i));
    }
  }
  fs::path operator/(const std::string& name) const { return folder_ / name; }
  std::string data() const { return " --data folder:" + (folder_ / "images").string() + " "; }
  Outcome run(const std::string& arguments) const {
    return cli::testing::run(arguments, "XDG_CACHE_HOME='" + (folder_ / "cache").string() + "'");
  }

 private:
  ScratchDirectory folder_;
};

// Noise in four classes, so that a picture that is cut otherwise is another one to a network. Sides are `side`, or 11 to 17 and
// never square where it is 0.
void write_noise(const fs::path& half, int count, int side, std::uint64_t seed) {
  engine::Random random(seed, engine::Purpose::probe);
  for (int i = 0; i < count; ++i) {
    data::Image image{{3, side ? side : 11 + i % 6, side ? side : 12 + i % 6}, {}};
    for (std::size_t p = 0; p < image.shape.bytes(); ++p)
      image.pixels.push_back(static_cast<std::uint8_t>(random.below(256)));
    const fs::path path = half / std::to_string(i % 4) / (std::to_string(100 + i) + ".png");
    fs::create_directories(path.parent_path());
    write_text(path, data::encode_png(image));
  }
}

const std::string kTrain =
    "train --model resnet18 --width 4 --choose fixed --threads 2 --lr 0.01 --batch 6 --epochs 2 "
    "--size 8 --augment seed:imagenet ";
}  // namespace

TEST_CASE(
    "images: a run on a folder that is stopped within an epoch goes on to the same bits, with any "
    "number of workers") {
  const Pictures pictures;
  const std::string whole = (pictures / "whole").string(), parts = (pictures / "parts").string();
  const Outcome first = pictures.run(kTrain + pictures.data() + "--out " + whole);
  INFO(first.err);
  REQUIRE(first.status == 0);
  CHECK(contains(first.err, "40 files are looked at for the first time"));
  CHECK(contains(first.err, "36 of 40 training images"));
  const Outcome part =
      pictures.run(kTrain + pictures.data() + "--max-steps 8 --workers 2 --out " + parts);
  REQUIRE(part.status == 0);
  CHECK_FALSE(contains(part.err, "looked at"));
  const std::string otherwise = " --data folder:" + (pictures / "cache/../images/").string() + " ";
  CHECK_FALSE(contains(pictures.run("data --stats" + otherwise).err, "looked at"));
  const Outcome rest =
      pictures.run(kTrain + pictures.data() + "--workers 3 --resume auto --out " + parts);
  INFO(rest.err);
  REQUIRE(rest.status == 0);
  CHECK(contains(rest.err, "goes on after step 2 of epoch 2"));
  for (const char* file : {"last.safetensors", "best.safetensors"})
    CHECK(read_text(fs::path(whole) / file) == read_text(fs::path(parts) / file));

  const Outcome tested = pictures.run("eval --choose fixed --json -" + pictures.data() +
                                      "--weights " + whole + "/last.safetensors");
  INFO(tested.err);
  REQUIRE(tested.status == 0);
  CHECK(nlohmann::json::parse(tested.out)["images"] == 6);
  check_failure(
      pictures.run(kTrain + "--crop centre --resume auto --out " + parts + pictures.data()), 2,
      {"--crop is", "it was"});
  fs::remove(pictures / "images/train/cat/101.jpg");
  check_failure(pictures.run(kTrain + "--resume auto --out " + parts + pictures.data()), 2,
                {"--data holds 39 images", "it was 40 images"});
}

TEST_CASE(
    "images: damage is exit code 3 naming the file, or is left out; sizes and damage are counted "
    "by --stats") {
  const Pictures pictures;
  const fs::path bad = pictures / "images/train/dog/104.jpg";
  write_text(bad, read_text(bad).substr(0, 400));
  check_failure(pictures.run(kTrain + pictures.data() + "--out " + (pictures / "run").string()), 3,
                {bad.string(), "damaged JPEG", "--on-bad skip"});
  CHECK_FALSE(fs::exists(pictures / "run"));
  const Outcome trained =
      pictures.run(kTrain + pictures.data() + "--max-steps 1 --on-bad skip --out " +
                   (pictures / "run").string());
  INFO(trained.err);
  CHECK(trained.status == 0);
  CHECK(contains(trained.err, "1 of 40 images are damaged and left out\n  " + bad.string()));
  const Outcome stats = pictures.run("data --stats --on-bad skip --json -" + pictures.data());
  REQUIRE(stats.status == 0);
  const auto json = nlohmann::json::parse(stats.out);
  CHECK(json["train"]["images"] == 39);
  CHECK(json["train"]["bad"].size() == 1);
  CHECK(json["train"]["height"] == nlohmann::json{{"min", 14}, {"median", 17}, {"max", 20}});
  CHECK(json["test"]["width"]["max"] == 16);
  CHECK(contains(pictures.run("data --stats --on-bad skip" + pictures.data()).out,
                 "width 12 / 14 / 16, height 14 / 17 / 20"));
  check_failure(
      pictures.run("train --on-bad skip --out " + (pictures / "other").string() + pictures.data()),
      2, {"sides of 12 to 20 pixels", "--size N"});
}

TEST_CASE("images: 28 pixels get no border where they were asked for") {
  const Pictures pictures;
  const Outcome stats = pictures.run("data --stats --size 28 --json -" + pictures.data());
  INFO(stats.err);
  REQUIRE(stats.status == 0);
  CHECK(nlohmann::json::parse(stats.out).at("side") == 28);
}

TEST_CASE("images: eval, calibrate and predict see what training tested on, whatever the sides of each half") {
  struct Case {
    int train_side, test_side;
    std::string size, resize;
    const char* grey = "";
  };
  for (const Case& c : {Case{0, 8, "8", ""}, Case{0, 16, "8", " --resize 8"}, Case{28, 28, "28", ""}, Case{0, 8, "8", "", " --grey"}}) {
    CAPTURE(c.test_side);
    const ScratchDirectory folder;
    const std::string cache = "XDG_CACHE_HOME='" + (folder / "cache").string() + "'", out = (folder / "run").string();
    const std::string common = " --choose fixed --threads 1 --data folder:" + (folder / "f").string();
    write_noise(folder / "f/train", 40, c.train_side, 1);
    write_noise(folder / "f/test", 48, c.test_side, 2);
    const Outcome trained = run("train --model resnet18 --width 4 --epochs 8 --batch 9 --out " + out + common +
                                    " --size " + c.size + c.resize + c.grey, cache);
    INFO(trained.err);
    REQUIRE(trained.status == 0);
    const auto expected = nlohmann::json::parse(read_text(out + "/result.json")).at("test");
    const std::string weights = " --weights " + out + "/last.safetensors";
    const Outcome tested = run("eval --json - --confusion " + (folder / "c.json").string() + common + weights, cache);
    INFO(tested.err);
    REQUIRE(tested.status == 0);
    const auto judged = nlohmann::json::parse(tested.out);
    CHECK(judged.at("exits") == expected.at("exits"));
    CHECK(judged.at("ensemble") == expected.at("ensemble"));
    const auto answers = nlohmann::json::parse(read_text(folder / "c.json")), in_training = nlohmann::json::parse(read_text(out + "/confusion.json"));
    for (const char* key : {"exits", "ensemble"}) CHECK(answers.at(key) == in_training.at(key));
    CHECK(contains(tested.err, "brought to " + c.size + "×" + c.size + " pixels as in training"));

    REQUIRE(run("export --hf " + (folder / "hf").string() + weights).status == 0);
    const auto preprocessor = nlohmann::json::parse(read_text(folder / "hf/preprocessor_config.json"));
    CHECK(preprocessor.at("do_resize") == true);
    CHECK(preprocessor.at("crop_size").at("height") == std::stoi(c.size));
    if (!c.resize.empty()) CHECK(preprocessor.at("size").at("shortest_edge") == std::stoi(c.size));

    const std::string policy = (folder / "p.json").string();
    const Outcome calibrated = run("calibrate --out " + policy + common + weights, cache);
    INFO(calibrated.err);
    CHECK(calibrated.status == 0);
    const Outcome predicted = run("predict --choose fixed --threads 1 --json - --policy " + policy + weights + " " +
                                  (folder / "f/test/0/100.png").string());
    INFO(predicted.err);
    CHECK(predicted.status == 0);
    const Outcome all = run("predict --choose fixed --threads 1 --json -" + weights + " " + (folder / "f/test").string() + "/*/*.png");
    REQUIRE(all.status == 0);
    double right = 0;
    for (const auto& one : nlohmann::json::parse(all.out))
      right += fs::path(one["file"].get<std::string>()).parent_path().filename() == one["top"][0]["class"].get<std::string>();
    CHECK(100 * right / 48 == doctest::Approx(expected.at("ensemble").get<double>()));
  }
}

TEST_CASE("images: halves of which one has several sizes are brought to one size by --stats") {
  const ScratchDirectory folder;
  write_noise(folder / "f/train", 4, 0, 1);
  write_noise(folder / "f/test", 4, 16, 2);
  const Outcome stats = run("data --stats --json - --data folder:" + (folder / "f").string(),
                            "XDG_CACHE_HOME='" + (folder / "cache").string() + "'");
  INFO(stats.err);
  REQUIRE(stats.status == 0);
  CHECK(nlohmann::json::parse(stats.out).at("side") == 224);
}

TEST_CASE("images: a class whose name is not UTF-8 is refused") {
  const Pictures pictures;
  write_noise(pictures / "images/train/caf\xe9", 1, 8, 1);
  check_failure(pictures.run(kTrain + pictures.data() + "--out " + (pictures / "run").string()), 3,
                {"images/train", "caf", "is not UTF-8"});
}

TEST_CASE("images: however few are exported, each class has one") {
  const ScratchDirectory folder;
  const std::string cache = "XDG_CACHE_HOME='" + (folder / "cache").string() + "'";
  const std::string exported = "data --data synthetic:40,side=8,classes=4 --export " + (folder / "f").string();
  check_failure(run(exported + " --limit 3"), 2, {"3 images cannot hold one of each of 4 classes"});
  REQUIRE(run(exported + " --limit 4").status == 0);
  const Outcome stats = run("data --stats --json - --data folder:" + (folder / "f").string(), cache);
  INFO(stats.err);
  REQUIRE(stats.status == 0);
  for (const char* half : {"train", "test"}) CHECK(nlohmann::json::parse(stats.out).at(half).at("images") == 4);
}

TEST_CASE("images: an exported data set is trained on as a folder and as shards") {
  const ScratchDirectory folder;
  const std::string cache = "XDG_CACHE_HOME='" + (folder / "cache").string() + "'";
  const std::string synthetic = "data --data synthetic:40,side=8,classes=4 --limit 30 --export ";
  REQUIRE(run(synthetic + (folder / "f").string()).status == 0);
  REQUIRE(run(synthetic + (folder / "t").string() + " --export-format tar").status == 0);
  check_failure(run(synthetic + (folder / "t").string()), 2, {"is there already"});
  for (const std::string kind : {"folder:", "tar:"}) {
    const std::string path = (folder / (kind == "tar:" ? "t" : "f")).string();
    const std::string out = (folder / ("run-" + kind)).string();
    const Outcome trained =
        run("train --model resnet18 --width 4 --choose fixed --epochs 1 --batch 8 --out " + out +
                " --data " + kind + path,
            cache);
    INFO(trained.err);
    CHECK(trained.status == 0);
    CHECK(contains(trained.err, "4 classes, 8 px"));
  }
}
