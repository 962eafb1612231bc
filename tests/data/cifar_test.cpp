#include "data/cifar.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>

#include "data/error.hpp"
#include "tests/data/scratch_folder.hpp"

using namespace autodidact::data;

namespace {

constexpr std::size_t kPixels = 3 * 32 * 32;

// Records whose pixel p of record i is (i·7 + p) mod 256.
std::vector<std::uint8_t> records(const std::vector<std::vector<std::uint8_t>>& labels) {
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    bytes.insert(bytes.end(), labels[i].begin(), labels[i].end());
    for (std::size_t p = 0; p < kPixels; ++p) bytes.push_back(static_cast<std::uint8_t>(i * 7 + p));
  }
  return bytes;
}

void check_pixels(const Dataset& data, std::size_t sample, std::size_t record) {
  std::vector<std::uint8_t> image(kPixels);
  data.copy_image(sample, image);
  std::size_t wrong = 0;
  for (std::size_t p = 0; p < kPixels; ++p) {
    wrong += image[p] != static_cast<std::uint8_t>(record * 7 + p);
  }
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("CIFAR-100 records give the fine label and the pixels") {
  const ScratchFolder folder;
  folder.write("train.bin", records({{3, 42}, {19, 99}, {0, 0}}));
  const auto data = read_cifar(Cifar::hundred, Half::train, folder.path());
  CHECK(data->size() == 3);
  CHECK(data->shape() == ImageShape{3, 32, 32});
  CHECK(data->classes() == 100);
  CHECK(data->class_names()[42] == "42");
  CHECK(data->label(0) == 42);
  CHECK(data->label(1) == 99);
  CHECK(data->label(2) == 0);
  for (std::size_t i = 0; i < 3; ++i) check_pixels(*data, i, i);
  CHECK(data->origin(1) == "train.bin record 1");
}

TEST_CASE("CIFAR-10's five files follow each other, with names from its own list") {
  const ScratchFolder folder;
  const std::string below = "cifar-10-batches-bin/";  // as the archive unpacks
  for (int b = 1; b <= 5; ++b) {
    const auto label = static_cast<std::uint8_t>(b);
    folder.write(below + "data_batch_" + std::to_string(b) + ".bin", records({{label}, {label}}));
  }
  folder.write(below + "test_batch.bin", records({{9}}));
  folder.write(below + "batches.meta.txt",
               "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n");
  const auto train = read_cifar(Cifar::ten, Half::train, folder.path());
  REQUIRE(train->size() == 10);
  CHECK(train->class_names()[9] == "truck");
  for (std::size_t i = 0; i < 10; ++i) {
    CHECK(train->label(i) == static_cast<int>(i / 2) + 1);
    check_pixels(*train, i, i % 2);
  }
  CHECK(train->origin(7) == "data_batch_4.bin record 1");
  CHECK(read_cifar(Cifar::ten, Half::test, folder.path())->label(0) == 9);
  CHECK(read_cifar(Cifar::ten, Half::test, folder / (below + "data_batch_3.bin"))->size() == 2);
}

TEST_CASE("bad CIFAR files are refused with file, offset and expectation") {
  const ScratchFolder folder;
  const auto message = [&](Cifar kind) {
    try {
      read_cifar(kind, Half::test, folder.path());
    } catch (const DataError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  const std::string root = folder.path().string();
  CHECK(message(Cifar::ten) == root + ": has no file test_batch.bin (nor with .gz or .xz)");

  auto bytes = records({{1}, {2}, {3}});
  bytes.pop_back();
  folder.write("test_batch.bin", bytes);
  CHECK(message(Cifar::ten) ==
        root + "/test_batch.bin: the record at offset 6146 is truncated: 3072 of 3073 bytes");
  folder.write("test_batch.bin", records({{1}, {10}}));
  CHECK(message(Cifar::ten) ==
        root + "/test_batch.bin: label 10 at offset 3073 (record 1) must be below 10");
  folder.write("test_batch.bin", "");
  CHECK(message(Cifar::ten) == root + "/test_batch.bin: is empty, expected records of 3073 bytes");

  folder.write("test.bin", records({{1, 2}, {3, 4}, {20, 1}}));
  CHECK(message(Cifar::hundred) ==
        root + "/test.bin: coarse label 20 at offset 6148 (record 2) must be below 20");
  folder.write("test.bin", records({{1, 100}}));
  CHECK(message(Cifar::hundred) ==
        root + "/test.bin: fine label 100 at offset 1 (record 0) must be below 100");
  folder.write("test.bin", records({{1, 99}}));
  folder.write("fine_label_names.txt", "apple\n");
  CHECK(message(Cifar::hundred) == root + "/fine_label_names.txt: has 1 class names, expected 100");

  for (int b : {1, 2, 4, 5}) {
    folder.write("data_batch_" + std::to_string(b) + ".bin", records({{0}}));
  }
  CHECK_THROWS_WITH_AS(read_cifar(Cifar::ten, Half::train, folder.path()),
                       (root + ": has no file data_batch_3.bin (nor with .gz or .xz)").c_str(),
                       DataError);
}

TEST_CASE("the official CIFAR-100 test file has 100 images of each class") {
  // AUTODIDACT_CIFAR100 names the folder; a shared copy beside the checkout is found too.
  const char* named = std::getenv("AUTODIDACT_CIFAR100");
  const std::filesystem::path beside = std::filesystem::path(AUTODIDACT_SOURCE_DIR) / "../shared/data/cifar-100-binary";
  std::filesystem::path folder = named ? named : "";
  if (!named && std::filesystem::is_directory(beside)) folder = beside;
  if (folder.empty()) {
    MESSAGE("skipped: CIFAR-100 is not here, set AUTODIDACT_CIFAR100 to its folder");
    return;
  }
  const auto data = read_cifar(Cifar::hundred, Half::test, folder);
  CHECK(data->size() == 10000);
  CHECK(data->class_names().front() == "apple");
  CHECK(data->class_names().back() == "worm");
  std::vector<int> hits(100);
  for (std::size_t i = 0; i < data->size(); ++i) ++hits[static_cast<std::size_t>(data->label(i))];
  CHECK(hits == std::vector<int>(100, 100));
  CHECK(data->class_names()[static_cast<std::size_t>(data->label(0))] == "mountain");
}
