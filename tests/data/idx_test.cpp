#include "data/idx.hpp"

#include <doctest/doctest.h>

#include "data/error.hpp"
#include "tests/data/scratch_folder.hpp"

using namespace autodidact::data;

namespace {

// A header of big-endian numbers and the bytes 0, 1, 2 … behind it.
std::vector<std::uint8_t> idx(const std::vector<std::uint32_t>& header, std::size_t content) {
  std::vector<std::uint8_t> bytes;
  for (std::uint32_t value : header) {
    for (int shift = 24; shift >= 0; shift -= 8)
      bytes.push_back(static_cast<std::uint8_t>(value >> shift));
  }
  for (std::size_t i = 0; i < content; ++i) bytes.push_back(static_cast<std::uint8_t>(i));
  return bytes;
}

std::vector<std::uint8_t> labels(const std::vector<std::uint8_t>& values) {
  auto bytes = idx({0x801, static_cast<std::uint32_t>(values.size())}, 0);
  bytes.insert(bytes.end(), values.begin(), values.end());
  return bytes;
}

const std::string kTrainImages = "train-images-idx3-ubyte",
                  kTrainLabels = "train-labels-idx1-ubyte";
const std::string kTestImages = "t10k-images-idx3-ubyte", kTestLabels = "t10k-labels-idx1-ubyte";

std::vector<std::uint8_t> image_of(const Dataset& data, std::size_t i) {
  std::vector<std::uint8_t> image(data.shape().bytes());
  data.copy_image(i, image);
  return image;
}

}  // namespace

TEST_CASE("IDX folders are read, with as many classes as the training labels need") {
  const ScratchFolder folder;
  folder.write(kTrainImages, idx({0x803, 3, 2, 4}, 24));
  folder.write(kTrainLabels, labels({0, 5, 2}));
  folder.write(kTestImages, idx({0x803, 1, 2, 4}, 8));
  folder.write(kTestLabels, labels({1}));
  const auto train = read_idx(Half::train, folder.path());
  CHECK(train->size() == 3);
  CHECK(train->shape() == ImageShape{1, 2, 4});
  CHECK(train->classes() == 6);
  CHECK(train->label(1) == 5);
  CHECK(image_of(*train, 1) == std::vector<std::uint8_t>{8, 9, 10, 11, 12, 13, 14, 15});
  CHECK(train->origin(2) == kTrainImages + " record 2");
  const auto test = read_idx(Half::test, folder.path());
  CHECK(test->size() == 1);
  CHECK(test->classes() == 6);
  CHECK(read_idx(Half::test, folder.path(), {"a", "b"})->classes() == 2);
}

TEST_CASE("IDX files are found after a prefix, by the name of one, with dots, and with channels") {
  const ScratchFolder folder;
  folder.write("emnist-letters-train-images-idx3-ubyte", idx({0x803, 2, 1, 1}, 2));
  folder.write("emnist-letters-train-labels-idx1-ubyte", labels({1, 2}));
  CHECK(read_idx(Half::train, folder / "emnist-letters")->size() == 2);
  CHECK(read_idx(Half::test, folder / "emnist-letters-train-images-idx3-ubyte")->classes() == 3);
  folder.write("test-images.idx3-ubyte", idx({0x803, 1, 1, 1}, 1));
  folder.write("test-labels.idx1-ubyte", labels({0}));
  CHECK(read_idx(Half::test, folder.path())->size() == 1);
  folder.write("train-images-idx4-ubyte", idx({0x804, 1, 3, 2, 2}, 12));
  folder.write(kTrainLabels, labels({1}));
  folder.write("class_names.txt", "cat\ndog\n");
  const auto coloured = read_idx(Half::train, folder.path());
  CHECK(coloured->shape() == ImageShape{3, 2, 2});
  CHECK(coloured->class_names() == std::vector<std::string>{"cat", "dog"});
  CHECK(read_idx(Half::train, folder / "train-images-idx4-ubyte")->size() == 1);
}

TEST_CASE("bad IDX files are refused with file, offset and expectation") {
  const ScratchFolder folder;
  const std::string root = folder.path().string(), images = root + "/" + kTrainImages,
                    label_file = root + "/" + kTrainLabels;
  const auto message = [&](const std::vector<std::uint8_t>& image_bytes,
                           const std::vector<std::uint8_t>& label_bytes,
                           std::vector<std::string> names = {}) {
    folder.write(kTrainImages, image_bytes);
    folder.write(kTrainLabels, label_bytes);
    try {
      read_idx(Half::train, folder.path(), std::move(names));
    } catch (const DataError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  const auto good = idx({0x803, 2, 2, 2}, 8), good_labels = labels({0, 1});
  CHECK(message(good, good_labels) == "no error");

  CHECK(message(idx({0x801, 2, 2, 2}, 8), good_labels) ==
        images +
            ": the magic number at offset 0 is 0x00000801, expected 0x00000803 (images) or "
            "0x00000804 "
            "(images with channels)");
  CHECK(message(good, idx({0x803, 2}, 2)) ==
        label_file + ": the magic number at offset 0 is 0x00000803, expected 0x00000801 (labels)");
  CHECK(message({0, 0}, good_labels) ==
        images +
            ": the header is truncated: the magic number at offset 0 needs 4 bytes, 2 are there");
  CHECK(message(idx({0x803, 2}, 3), good_labels) ==
        images +
            ": the header is truncated: the number of rows at offset 8 needs 4 bytes, 3 are there");
  CHECK(message(idx({0x803, 2, 0, 2}, 0), good_labels) ==
        images + ": the number of rows at offset 8 is 0, expected 1 to 4096");
  CHECK(message(idx({0x804, 2, 5, 2, 2}, 40), good_labels) ==
        images + ": the number of channels at offset 8 is 5, expected 1 to 4");
  CHECK(message(idx({0x803, 2, 2, 2}, 7), good_labels) ==
        images +
            ": truncated after the header of 16 bytes: the promise of 2 images of 1x2x2 is 8 "
            "bytes, 7 follow");
  CHECK(message(idx({0x803, 2, 2, 2}, 9), good_labels) ==
        images +
            ": trailing bytes after the header of 16 bytes: the promise of 2 images of 1x2x2 is 8 "
            "bytes, 9 follow");
  CHECK(message(idx({0x803, 0xffffffff, 4096, 4096}, 9), good_labels) ==
        images +
            ": truncated after the header of 16 bytes: the promise of 4294967295 images of "
            "1x4096x4096 is "
            "72057594021150720 bytes, 9 follow");
  CHECK(message(idx({0x803, 0, 2, 2}, 0), labels({})) == images + ": holds no images");
  CHECK(
      message(good, idx({0x801, 2}, 1)) ==
      label_file +
          ": truncated after the header of 8 bytes: the promise of 2 labels is 2 bytes, 1 follow");
  CHECK(message(good, labels({0, 1, 0})) ==
        label_file + ": has 3 labels, but " + images + " has 2 images");
  CHECK(message(good, labels({0, 7}), {"a", "b", "c"}) ==
        label_file + ": label 7 at offset 9 (sample 1) must be below 3");
  CHECK(message({}, good_labels) ==
        images +
            ": the header is truncated: the magic number at offset 0 needs 4 bytes, 0 are there");
}

TEST_CASE("missing IDX files are named with what was looked for") {
  const ScratchFolder folder;
  const std::string root = folder.path().string();
  CHECK_THROWS_WITH_AS(
      read_idx(Half::test, folder.path()),
      (root + ": has no file t10k-images-idx3-ubyte or t10k-images.idx3-ubyte or "
              "t10k-images-idx4-ubyte or test-images-idx3-ubyte or test-images.idx3-ubyte or "
              "test-images-idx4-ubyte (nor with .gz or .xz)")
          .c_str(),
      DataError);
  folder.write(kTrainImages, idx({0x803, 1, 1, 1}, 1));
  CHECK_THROWS_WITH_AS(
      read_idx(Half::train, folder.path()),
      (root +
       ": has no file train-labels-idx1-ubyte or train-labels.idx1-ubyte (nor with .gz or .xz)")
          .c_str(),
      DataError);
  const std::string odd = folder.write("pictures", idx({0x803, 1, 1, 1}, 1));
  CHECK_THROWS_WITH_AS(
      read_idx(Half::train, odd),
      (odd +
       ": the name of a file of images must contain \"images\", so that its labels can be found")
          .c_str(),
      DataError);
}
