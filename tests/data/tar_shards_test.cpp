#include "data/tar_shards.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "data/source.hpp"
#include "tests/data/encoded_images.hpp"
#include "tests/data/scratch_folder.hpp"

using namespace autodidact::data;
namespace fs = std::filesystem;

TEST_CASE("samples of a shard that cannot be used are named, and the others remain") {
  const ScratchFolder folder;
  const std::string jpeg = jpeg_of({3, 20, 20}, 1);
  const auto bad_of = [&](std::vector<std::pair<std::string, std::string>> some) {
    some.insert(some.begin(), {{"first.jpg", jpeg}, {"first.cls", "1"}});
    some.insert(some.end(), {{"last.jpg", jpeg}, {"last.cls", "0"}});
    const std::string path = folder.write("x.tar", tar_of(some));
    const IndexedFile file = examine_shard(path);
    CHECK(file.images.size() == 2);
    REQUIRE(file.bad.size() == 1);
    return file.bad.front().substr(path.size());
  };
  CHECK(bad_of({{"a.jpg", jpeg}}) == ": a has no .cls");
  CHECK(bad_of({{"a.cls", "1"}}) == ": a has no .jpg, .jpeg or .png");
  CHECK(bad_of({{"a.cls", "cat"}, {"a.jpg", jpeg}}) ==
        ": a has a label that is no whole number from 0 to 99999");
  CHECK(bad_of({{"a.cls", "-1"}, {"a.jpg", jpeg}}) ==
        ": a has a label that is no whole number from 0 to 99999");
  CHECK(bad_of({{"a.cls", "123456789012"}, {"a.jpg", jpeg}}) ==
        ": a has a label that is no whole number from 0 to 99999");
  CHECK(bad_of({{"a.cls", "1" + std::string(99, '\n')}, {"a.jpg", jpeg}}) ==
        ": a has a label that is no whole number from 0 to 99999");
  CHECK(bad_of({{"a.cls", "1"}, {"a.jpg", jpeg}, {"a.png", jpeg}}) == ": a has two images");
  CHECK(bad_of({{"a.cls", "1"}, {"a.jpg", jpeg.substr(0, jpeg.size() / 2)}})
            .starts_with(": a.jpg: damaged JPEG: "));
  CHECK(bad_of({{"a.cls", "1"}, {"a.png", png_claiming(60000, 60000)}})
            .starts_with(": a.png: 60000×60000 pixels, at most"));
}

TEST_CASE("names in a shard reach nothing outside it, however long they are") {
  const ScratchFolder folder;
  const std::string jpeg = jpeg_of({3, 20, 20}, 1), key = "../../" + std::string(300, 'k');
  const std::string path =
      folder.write("in/x.tar", tar_of({{key + ".jpg", jpeg}, {key + ".cls", "2"}}));
  const IndexedFile file = examine_shard(path);
  REQUIRE(file.images.size() == 1);
  CHECK(file.images[0].key == key);
  CHECK(file.images[0].label == 2);
  const Source source = open_source("tar:" + path, Parts::train_and_test,
                                    {.size = 16});  // read where it lies, behind a long header
  std::vector<std::uint8_t> pixels(source.train->shape().bytes());
  CHECK_NOTHROW(source.train->copy_image(0, pixels));
  CHECK(std::distance(fs::recursive_directory_iterator(folder.path()), {}) == 2);
}

TEST_CASE(
    "a shard that is cut off keeps what is whole; one that is none, or compressed, is named") {
  const ScratchFolder folder;
  const std::string whole = tar_of(shard_members(0, 4));
  std::size_t images = 4;
  for (std::size_t size = whole.size() - 1024; size > 0; size -= std::min<std::size_t>(size, 200)) {
    CAPTURE(size);
    const IndexedFile file = examine_shard(folder.write("x.tar", whole.substr(0, size)));
    CHECK(file.images.size() <= images);
    images = file.images.size();
    CHECK(file.bad.size() <= 2);  // the cut, and the sample that it left without a part
  }
  CHECK(images == 0);
  std::string huge = whole;
  huge.replace(124, 11, "77777777777");  // 8 GB; the checksum is put right
  unsigned sum = 8 * ' ';
  for (std::size_t i = 0; i < 512; ++i)
    sum += i >= 148 && i < 156 ? 0 : static_cast<unsigned char>(huge[i]);
  char octal[9];
  std::snprintf(octal, sizeof octal, "%06o", sum);
  huge.replace(148, 7, octal, 7);
  const std::string path = folder.write("x.tar", huge);
  const IndexedFile file = examine_shard(path);
  CHECK(file.images.empty());
  REQUIRE(file.bad.size() == 1);
  CHECK(file.bad[0] == path + ": ends within s/1000.cls");
  for (const std::string& content :
       {std::string("\x1f\x8b\x08\0\0\0\0\0\0\x03", 10) + std::string(600, 'x'),
        std::string(2000, 'x')}) {
    const IndexedFile none = examine_shard(folder.write("x.tar", content));
    CHECK(none.images.empty());
    REQUIRE(none.bad.size() == 1);
    CHECK(none.bad[0].starts_with(path +
                                  ": damaged tar, or a compressed one, after its beginning: "));
  }
}

TEST_CASE("archives one behind the other are one shard, and what else stands there is named") {
  const ScratchFolder folder;
  const std::string first = tar_of(shard_members(0, 3)), second = tar_of(shard_members(3, 2));
  const auto examine = [&](const std::string& content) {
    const IndexedFile file = examine_shard(folder.write("x.tar", content));
    for (std::size_t i = 0; i < file.images.size(); ++i) {
      const auto number = static_cast<int>(i);
      CHECK(file.images[i].label == number % 3);
      CHECK(content.substr(file.images[i].offset, file.images[i].bytes) ==
            jpeg_of({3, 20 + number, 25}, number));
    }
    return file;
  };
  for (const std::string& between : {std::string(), std::string(5 * 512, '\0')}) {
    const IndexedFile both = examine(first + between + second + between);
    CHECK(both.images.size() == 5);
    CHECK(both.bad.empty());
  }
  for (const std::size_t bytes : {100, 512, 5000}) {
    CAPTURE(bytes);
    const IndexedFile file = examine(first + std::string(bytes, 'x'));
    CHECK(file.images.size() == 3);
    REQUIRE(file.bad.size() == 1);
    CHECK(file.bad[0].starts_with(folder /
                                  "x.tar: damaged tar, or a compressed one, after s/1002.jpg: "));
  }
  const IndexedFile around = examine(first + std::string(1024, 'x') + second);
  CHECK(around.images.size() == 5);
  CHECK(around.bad.size() == 1);
}
