#include "data/image_index.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "data/error.hpp"
#include "tests/data/scratch_folder.hpp"

using namespace autodidact::data;
namespace fs = std::filesystem;

namespace {

std::string read_all(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

// Files that hold "good" have an image, others none.
struct Examined {
  std::atomic<int> count = 0;
  Examine examine = [this](const std::string& path) {
    ++count;
    IndexedFile file;
    if (read_all(path) == "good")
      file.images.push_back(
          {.offset = 1, .bytes = 2, .label = 3, .height = 4, .width = 5, .key = "k"});
    else
      file.bad.push_back(path + ": is not good");
    return file;
  };
};

}  // namespace

TEST_CASE("an index is read from its bytes again, and from no others") {
  const std::vector<IndexedFile> files = {
      {"a", 7, -1, {{1, 2, 3, 4, 5, "key"}, {6, 7, 8, 9, 10, ""}}, {}},
      {"b", 0, 5, {}, {"b: bad"}}};
  const std::string bytes = pack_index("place", files);
  CHECK((unpack_index("place", bytes) == files));
  CHECK(unpack_index("other", bytes).empty());
  CHECK(unpack_index("place", bytes + "x").empty());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    CAPTURE(i);
    CHECK(unpack_index("place", bytes.substr(0, i)).empty());
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    CHECK(unpack_index("place", damaged).empty());
  }
}

TEST_CASE("a file is looked at once, and again when it has changed or the cache is damaged") {
  const ScratchFolder folder;
  const std::vector<std::string> paths = {folder.write("a", "good"), folder.write("b", "good"),
                                          folder.write("c", "good")};
  const fs::path cache = index_cache(folder / "cache", "place");
  Examined examined;
  const auto look = [&](const std::vector<std::string>& at) {
    examined.count = 0;
    const std::size_t images = make_index("place", at, examined.examine, {.cache = cache}).images();
    CHECK(images == at.size());
    return examined.count.load();
  };
  CHECK(look(paths) == 3);
  CHECK(look(paths) == 0);
  fs::last_write_time(paths[1], fs::last_write_time(paths[1]) + std::chrono::seconds(1));
  CHECK(look(paths) == 1);
  CHECK(look({paths[0], paths[2]}) == 0);
  CHECK(look(paths) == 1);  // what was gone is new
  std::string bytes = read_all(cache);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  std::ofstream(cache, std::ios::binary) << bytes;
  CHECK(look(paths) == 3);
  CHECK(look(paths) == 0);
  fs::remove_all(folder / "cache");
  folder.write("cache", "a file where the folder should be");
  CHECK(look(paths) == 3);  // not kept, and no reason to stop
}

TEST_CASE("what was looked at before somebody said stop is not looked at again") {
  const ScratchFolder folder;
  std::vector<std::string> paths;
  for (int i = 0; i < 200; ++i) paths.push_back(folder.write("f" + std::to_string(i), "good"));
  Examined examined;
  IndexOptions options{.cache = index_cache(folder / "cache", "place")};
  options.stop = [&] { return examined.count >= 20; };
  CHECK_THROWS_AS(make_index("place", paths, examined.examine, options), Interrupted);
  CHECK(examined.count >= 20);
  CHECK(examined.count < 200);
  const int seen = examined.count;
  options.stop = [] { return true; };
  CHECK_THROWS_AS(make_index("place", paths, examined.examine, options), Interrupted);
  options.stop = [] { return false; };
  CHECK(make_index("place", paths, examined.examine, options).images() == 200);
  CHECK(examined.count == 200);
  CHECK(seen < 200);
}

TEST_CASE("damage stops with the first file, or is counted and named") {
  const ScratchFolder folder;
  std::vector<std::string> paths;
  for (const char* name : {"a", "b", "c", "d", "e", "f", "g", "h\x1b[2J"})
    paths.push_back(folder.write(name, name[0] == 'a' ? "good" : "bad"));
  Examined examined;
  CHECK_THROWS_WITH_AS(
      make_index("place", paths, examined.examine, {}),
      (paths[1] + ": is not good (7 damaged so far; --on-bad skip leaves them out)").c_str(),
      DataError);
  std::string said;
  IndexOptions options{.on_bad = OnBad::skip,
                       .say = [&](const std::string& line) { said += line; }};
  const ImageIndex index = make_index("place", paths, examined.examine, options);
  CHECK(index.images() == 1);
  CHECK(index.files.size() == 8);
  CHECK(index.bad().size() == 7);
  CHECK(said.ends_with("place: 7 of 8 images are damaged and left out\n  " + paths[1] +
                       ": is not good\n  " + paths[2] + ": is not good\n  " + paths[3] +
                       ": is not good\n  " + paths[4] + ": is not good\n  " + paths[5] +
                       ": is not good\n  and 2 more\n"));
  CHECK_THROWS_WITH_AS(make_index("place", {paths[1]}, examined.examine, options),
                       "place: has no image that can be read", DataError);
  options.on_bad = OnBad::stop;
  try {
    make_index("place", {paths[7]}, examined.examine, options);
  } catch (const DataError& error) {
    CHECK(std::string(error.what()).find('\x1b') == std::string::npos);
  }
  fs::remove(paths[0]);
  CHECK_THROWS_WITH_AS(make_index("place", paths, examined.examine, {}),
                       (paths[0] + ": cannot be read: No such file or directory").c_str(),
                       DataError);
}
