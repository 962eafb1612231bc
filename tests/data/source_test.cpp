#include "data/source.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <stdexcept>

#include "data/error.hpp"
#include "tests/data/scratch_folder.hpp"

using namespace autodidact::data;

namespace {

// IDX files of `count` images of one byte value and labels 0, 1, 2, 0, …
void write_idx(const ScratchFolder& folder, const std::string& half, std::uint8_t count,
               std::uint8_t height, std::uint8_t width, std::uint8_t value) {
  std::vector<std::uint8_t> images = {0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, height, 0, 0, 0, width};
  images.insert(images.end(), std::size_t{count} * height * width, value);
  std::vector<std::uint8_t> labels = {0, 0, 8, 1, 0, 0, 0, count};
  for (std::uint8_t i = 0; i < count; ++i) labels.push_back(i % 3);
  folder.write(half + "-images-idx3-ubyte", images);
  folder.write(half + "-labels-idx1-ubyte", labels);
}

template <typename Error>
std::string message(const std::string& specification) {
  try {
    open_source(specification);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("synthetic data comes with everything a network needs to know") {
  const Source source = open_source("synthetic:60,side=12,channels=1,classes=4,seed=3");
  CHECK(source.train->size() == 60);
  CHECK(source.test->size() == 12);
  CHECK(source.channels == 1);
  CHECK(source.side == 12);
  CHECK(source.class_names == std::vector<std::string>{"0", "1", "2", "3"});
  CHECK(source.normalisation == measure_normalisation(*source.train));
  CHECK(source.default_augment == Augment::crop_flip);
  CHECK(open_source("synthetic:side=8,classes=2").train->size() == 2000);
}

TEST_CASE("images of 28 pixels get a border of 2 black pixels that is not counted in the mean") {
  const ScratchFolder folder;
  write_idx(folder, "train", 4, 28, 28, 51);
  write_idx(folder, "t10k", 2, 28, 28, 102);
  const Source source = open_source("idx:" + folder.path().string());
  CHECK(source.channels == 1);
  CHECK(source.side == 32);
  CHECK(source.class_names.size() == 3);
  CHECK(source.default_augment == Augment::none);
  CHECK(source.normalisation == Normalisation{{0.2f}, {1.0f}});
  std::vector<std::uint8_t> image(32 * 32);
  source.test->copy_image(0, image);
  CHECK(image[1 * 32 + 16] == 0);
  CHECK(image[2 * 32 + 2] == 102);
  CHECK(image[29 * 32 + 29] == 102);
  CHECK(image[29 * 32 + 30] == 0);
}

TEST_CASE("only what is asked for is read") {
  const ScratchFolder folder;
  write_idx(folder, "t10k", 2, 9, 9, 1);
  const std::string specification = "idx:" + folder.path().string();
  const Source tested = open_source(specification, Parts::test_only);
  CHECK(tested.train == nullptr);
  CHECK(tested.test->size() == 2);
  CHECK(tested.side == 9);
  CHECK_FALSE(tested.normalisation.has_value());
  const Source trained = open_source(specification + "/t10k-images-idx3-ubyte");
  CHECK(trained.train->size() == 2);
  CHECK(trained.test == nullptr);
  CHECK_THROWS_AS(open_source(specification), DataError);
}

TEST_CASE("CIFAR is normalised by its published figures") {
  const ScratchFolder folder;
  std::vector<std::uint8_t> record(3074, 7);
  folder.write("train.bin", record);
  folder.write("test.bin", record);
  const Source source = open_source("cifar100:" + folder.path().string());
  CHECK(source.class_names.size() == 100);
  CHECK(source.normalisation->mean == std::vector<float>{.4914f, .4822f, .4465f});
  CHECK(source.normalisation->std == std::vector<float>{.2023f, .1994f, .2010f});
  CHECK(open_source("cifar100:" + folder.path().string(), Parts::test_only).normalisation ==
        source.normalisation);
}

TEST_CASE("malformed specifications are usage errors") {
  const auto usage = [](const std::string& s) { return message<std::invalid_argument>(s); };
  CHECK(usage("imagenet:/x") ==
        "unknown data \"imagenet:/x\", expected one of cifar10:DIR, cifar100:DIR, "
        "fashion-mnist[:DIR], idx:DIR, folder:DIR, tar:DIR, "
        "synthetic[:N]");
  CHECK(usage("") ==
        "unknown data \"\", expected one of cifar10:DIR, cifar100:DIR, fashion-mnist[:DIR], "
        "idx:DIR, folder:DIR, tar:DIR, synthetic[:N]");
  CHECK(usage("cifar10") == "--data cifar10: expected a folder, cifar10:DIR");
  CHECK(usage("synthetic:many") ==
        "--data synthetic:many: the number of samples must be a whole number from 0 to 1073741824, "
        "got \"many\"");
  CHECK(
      usage("synthetic:10,side=-1") ==
      "--data synthetic:10,side=-1: side must be a whole number from 0 to 1073741824, got \"-1\"");
  CHECK(usage("synthetic:10,depth=3") ==
        "--data synthetic:10,depth=3: unknown option \"depth\", expected side, channels, classes "
        "or seed");
  CHECK(usage("synthetic:1") == "synthetic: the number of samples must be 10 to 349525, got 1");
}

TEST_CASE("data that no network takes is refused") {
  const ScratchFolder folder;
  const std::string specification = "idx:" + folder.path().string();
  CHECK(message<DataError>("idx:/no/such/place")
            .starts_with("/no/such/place: no such folder (looked for train-images"));
  write_idx(folder, "train", 3, 8, 9, 1);
  CHECK(message<DataError>(specification) ==
        "train-images-idx3-ubyte record 0: images are 8 pixels high and 9 wide, expected square "
        "ones");
  write_idx(folder, "train", 3, 8, 8, 1);
  write_idx(folder, "t10k", 3, 9, 9, 1);
  CHECK(message<DataError>(specification) ==
        "t10k-images-idx3-ubyte record 0: test images have 1 channels and 9 pixels a side, "
        "training images 1 and 8");
  write_idx(folder, "train", 2, 8, 8, 1);
  write_idx(folder, "t10k", 3, 8, 8, 1);
  CHECK(message<DataError>(specification) ==
        folder / "t10k-labels-idx1-ubyte: label 2 at offset 10 (sample 2) must be below 2");
}

TEST_CASE("the packaged Fashion-MNIST has its ten classes and its known mean and deviation") {
  if (!std::filesystem::is_directory("/usr/share/datasets/fashion-mnist")) {
    MESSAGE("skipped: the package dataset-fashion-mnist is not installed");
    return;
  }
  const Source source = open_source("fashion-mnist");
  CHECK(source.train->size() == 60000);
  CHECK(source.test->size() == 10000);
  CHECK(source.side == 32);
  CHECK(source.class_names[9] == "Ankle boot");
  CHECK(source.train->label(0) == 9);
  CHECK(source.normalisation->mean[0] == doctest::Approx(0.2860).epsilon(1e-3));
  CHECK(source.normalisation->std[0] == doctest::Approx(0.3530).epsilon(1e-3));
}
