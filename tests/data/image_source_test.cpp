// Folders and shards of images, opened as --data opens them.
#include "data/image_source.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <functional>
#include <set>

#include "data/error.hpp"
#include "data/export.hpp"
#include "data/fingerprint.hpp"
#include "data/image_file.hpp"
#include "data/loader.hpp"
#include "data/random_crop.hpp"
#include "tests/data/encoded_images.hpp"
#include "tests/data/scratch_folder.hpp"

using namespace autodidact::data;
using autodidact::engine::Purpose;
using autodidact::engine::Random;
namespace fs = std::filesystem;

namespace {

template <typename E>
std::string message(const std::function<void()>& call) {
  try {
    call();
  } catch (const E& error) {
    return error.what();
  }
  return "";
}

// 12 images of several sizes and kinds in two classes, 4 to test on.
void write_folder(const ScratchFolder& folder) {
  for (int i = 0; i < 12; ++i) {
    const ImageShape shape{i % 3 ? 3 : 1, 18 + i, 30 - i};
    const std::string name =
        std::string("train/") + (i % 2 ? "cat/" : "dog/") + std::to_string(10 + i);
    if (i % 4 < 2)
      folder.write(name + ".png", png_of(shape, i));
    else
      folder.write(name + ".JPEG", jpeg_of(shape, i));
  }
  for (int i = 0; i < 4; ++i)
    folder.write("val/dog/" + std::to_string(i) + ".jpg", jpeg_of({3, 40, 20}, i));
  folder.write("train/cat/notes.txt", std::string("no image"));
  folder.write("train/.hidden/a.png", std::string("no image"));
}

void write_shards(const ScratchFolder& folder) {
  folder.write("train-000.tar", tar_of(shard_members(0, 5)));
  folder.write("train-001.tar", tar_of(shard_members(5, 8)));
  folder.write("test-000.tar", tar_of(shard_members(0, 3)));
}

Source open(const std::string& specification, SourceOptions options = {.size = 16}) {
  return open_source(specification, Parts::train_and_test, options);
}

std::vector<std::uint8_t> pixels_of(const Dataset& dataset, std::size_t i) {
  std::vector<std::uint8_t> pixels(dataset.shape().bytes());
  dataset.copy_image(i, pixels);
  return pixels;
}

}  // namespace

TEST_CASE("a folder has its classes and images in the order of their names, cut to one size") {
  const ScratchFolder folder;
  write_folder(folder);
  const Source source = open("folder:" + folder.path().string());
  CHECK(source.class_names == std::vector<std::string>{"cat", "dog"});
  CHECK(source.channels == 3);
  CHECK(source.side == 16);
  CHECK(source.random_crop);
  CHECK(source.normalisation == imagenet_normalisation(3));
  REQUIRE(source.train->size() == 12);
  CHECK(source.test->size() == 4);
  CHECK(source.test->label(0) == 1);
  CHECK(source.train->origin(0) == folder / "train/cat/11.png");
  CHECK(source.train->origin(6) == folder / "train/dog/10.png");
  CHECK(source.train->label(5) == 0);
  CHECK(source.train->label(6) == 1);
  CHECK(source.train->shards().empty());
  const Framing framing{3, 16, usual_resize(16)};
  for (std::size_t i = 0; i < 12; ++i) {
    const Image stored = read_image(source.train->origin(i));
    CHECK((pixels_of(*source.train, i) == frame(stored, framing).pixels));
    Random random(1, Purpose::augmentation, 2, i), same = random;
    std::vector<std::uint8_t> cropped(source.train->shape().bytes());
    source.train->copy_random_crop(i, random, cropped);
    const Box box = draw_random_crop(stored.shape.height, stored.shape.width, same);
    CHECK((cropped == resize(to_channels(stored, 3), box, 16, 16).pixels));
  }
  const Source grey = open("folder:" + folder.path().string(),
                           {.size = 16, .resize = 16, .random_crop = false, .grey = true});
  CHECK(grey.channels == 1);
  CHECK_FALSE(grey.random_crop);
  const Image stored = read_image(grey.train->origin(0));
  CHECK((pixels_of(*grey.train, 0) == frame(stored, {1, 16, 16}).pixels));
}

TEST_CASE("what batches hold does not depend on workers and restarts, in folders and in shards") {
  const ScratchFolder folder;
  write_folder(folder);
  write_shards(folder);
  for (const std::string kind : {"folder:", "tar:"}) {
    CAPTURE(kind);
    const Source source = open(kind + folder.path().string());
    CHECK(fingerprint(*source.train) == fingerprint(*open(kind + folder.path().string()).train));
    const Augmentation augmentation(
        {.kind = Augment::seed, .policy = Policy::imagenet, .random_crop = true},
        source.train->shape(), *source.normalisation);
    std::vector<std::uint32_t> part{0, 1, 3, 4, 6, 7, 8, 9, 10, 11};
    const auto subset = std::make_shared<SubsetDataset>(source.train, part);
    Loader one(subset, augmentation, {.batch = 3, .min_last = 1, .seed = 9});
    Loader many(subset, augmentation, {.batch = 3, .min_last = 1, .seed = 9, .workers = 3});
    std::set<std::vector<float>> pictures;
    for (std::uint64_t epoch = 0; epoch < 2; ++epoch) {
      for (std::size_t batch = 0; batch < 4; ++batch) {
        one.start(epoch, batch);  // forward and anew
        const Batch* a = one.next();
        many.start(batch % 2 ? epoch : 5, batch % 2 ? 0 : 1);
        many.start(epoch, batch);
        const Batch* b = many.next();
        REQUIRE((a && b));
        CHECK(std::equal(a->images.begin(), a->images.end(), b->images.begin(), b->images.end()));
        CHECK(std::equal(a->labels.begin(), a->labels.end(), b->labels.begin(), b->labels.end()));
        const std::size_t floats = source.train->shape().bytes();
        for (std::size_t i = 0; i < a->count; ++i)
          pictures.insert({a->images.begin() + static_cast<std::ptrdiff_t>(i * floats),
                           a->images.begin() + static_cast<std::ptrdiff_t>((i + 1) * floats)});
      }
    }
    CHECK(pictures.size() == 20);  // another crop in each epoch
  }
}

TEST_CASE("shards have the samples of their members in order, and are kept together in a subset") {
  const ScratchFolder folder;
  write_shards(folder);
  const Source source = open("tar:" + folder.path().string());
  REQUIRE(source.train->size() == 13);
  CHECK(source.test->size() == 3);
  CHECK(source.class_names == std::vector<std::string>{"0", "1", "2"});
  CHECK(source.train->origin(5) == folder / "train-001.tar: s/1005");
  CHECK(source.train->shards() == std::vector<std::size_t>{5, 8});
  for (int i = 0; i < 13; ++i) {
    CHECK(source.train->label(static_cast<std::size_t>(i)) == i % 3);
    const std::string jpeg = jpeg_of({3, 20 + i, 25}, i);
    const Image image =
        decode_image({reinterpret_cast<const std::uint8_t*>(jpeg.data()), jpeg.size()}, "x");
    CHECK((pixels_of(*source.train, static_cast<std::size_t>(i)) ==
           frame(image, {3, 16, usual_resize(16)}).pixels));
  }
  CHECK(SubsetDataset(source.train, {0, 4, 5, 11, 12}).shards() == std::vector<std::size_t>{2, 3});
  CHECK(SubsetDataset(source.train, {4, 0}).shards().empty());
  folder.write("classes.txt", std::string("a\nb\nc\n"));
  CHECK(open("tar:" + folder / "train-{000..001}.tar").class_names ==
        std::vector<std::string>{"a", "b", "c"});
  CHECK(open("tar:" + folder / "train-*.tar").train->size() == 13);
  CHECK(message<DataError>([&] { open("tar:" + folder / "train-{000..002}.tar"); }) ==
        folder / "train-002.tar: no such shard");
  for (const char* range :
       {"{0..x}", "{2..1}", "{0..100000}", "{0-1}", "{0..1}{0..1}", "{0..1", "}{"})
    CHECK(message<std::invalid_argument>([&] {
            open(std::string("tar:") + range + ".tar");
          }).find("expected one range") != std::string::npos);
  folder.write("classes.txt", std::string("a\nb\n"));
  CHECK(message<DataError>([&] { open("tar:" + folder.path().string()); }) ==
        folder / "train-000.tar: s/1002: label 2 must be below 2");
  SourceOptions tested{.size = 16, .class_names = {"b", "a", "c"}};
  CHECK(message<DataError>([&] {
          open_source("tar:" + folder.path().string(), Parts::test_only, tested);
        }) == folder / "classes.txt: its classes are not those that are trained, in their order");
}

TEST_CASE(
    "damaged files in a folder stop, or are left out, and an image that changes later is noticed") {
  const ScratchFolder folder;
  write_folder(folder);
  const std::string specification = "folder:" + folder.path().string();
  const std::string half = jpeg_of({3, 30, 30}, 1);
  folder.write("train/cat/00.jpg", half.substr(0, half.size() / 2));
  folder.write("train/dog/zz.png", png_claiming(60000, 60000));
  CHECK(message<DataError>([&] { open(specification); }) ==
        folder /
            "train/cat/00.jpg: damaged JPEG: Premature end of JPEG file (2 damaged so far; "
            "--on-bad skip leaves them out)");
  std::string said;
  const Source source = open(
      specification,
      {.size = 16, .on_bad = OnBad::skip, .say = [&](const std::string& line) { said += line; }});
  CHECK(source.train->size() == 12);
  CHECK(source.train_index->bad().size() == 2);
  CHECK(said.find("2 of 14 images are damaged and left out") != std::string::npos);
  CHECK(source.train->label(6) == 1);  // labels stay with their images
  folder.write("train/cat/11.png", png_of({3, 9, 9}, 0));
  CHECK(message<DataError>([&] {
          pixels_of(*source.train, 0);
        }).starts_with(folder / "train/cat/11.png: "));
  fs::remove(folder / "train/cat/11.png");
  CHECK(message<DataError>([&] { pixels_of(*source.train, 0); }) ==
        folder / "train/cat/11.png: cannot be read: No such file or directory");
}

TEST_CASE("without a size images are taken as they are if they are alike") {
  const ScratchFolder folder;
  for (int i = 0; i < 4; ++i)
    folder.write("train/" + std::to_string(i) + "/a.png", png_of({3, 28, 28}, i));
  const std::string specification = "folder:" + folder.path().string();
  std::string said;
  const Source source =
      open(specification, {.say = [&](const std::string& line) { said += line; }});
  CHECK(source.side == 32);  // with the border of all images of 28 pixels
  CHECK_FALSE(source.random_crop);
  CHECK(source.test == nullptr);
  CHECK(said.find("has no test half, so nothing is tested at the end") != std::string::npos);
  const auto usage = [&](const SourceOptions& options) {
    return message<std::invalid_argument>([&] { open(specification, options); });
  };
  CHECK(usage({.resize = 20}) == "--resize needs --size");
  CHECK(usage({.size = 20, .resize = 19}) == "--resize must be 20 to 4096 pixels, got 19");
  CHECK(usage({.size = 0}) == "--size must be 1 to 4096 pixels, got 0");
  folder.write("train/3/b.png", png_of({3, 28, 30}, 5));
  CHECK(usage({}) == folder.path().string() +
                         ": images have sides of 28 to 30 pixels; --size N brings them to N×N");
  CHECK(open(specification, {.size_if_mixed = 24}).side == 24);
  folder.write("test/3/a.png", png_of({3, 40, 40}, 5));
  CHECK(open(specification, {.size_if_mixed = 24}).test->shape().height == 24);  // as to train on
  CHECK(usage({}) == folder.path().string() +
                         ": images have sides of 28 to 40 pixels; --size N brings them to N×N");
  fs::remove(folder / "train/3/b.png");
  folder.write("test/3/b.png", png_of({3, 20, 40}, 5));
  CHECK(open(specification, {.size_if_mixed = 24}).train->shape().height == 24);
  CHECK(message<std::invalid_argument>([&] { open("synthetic:40", {.size = 16}); }) ==
        "--data synthetic:40: a size, --resize and --grey are for folder: and tar: only");
}

TEST_CASE("what is wrong with the folders themselves is said") {
  const ScratchFolder folder;
  const std::string specification = "folder:" + folder.path().string();
  const auto data = [&](Parts parts) {
    return message<DataError>([&] { open_source(specification, parts, {.size = 8}); });
  };
  CHECK(message<DataError>([&] { open("folder:/no/such"); }) == "/no/such: no such folder");
  CHECK(message<DataError>([&] { open("tar:" + folder.path().string()); }) ==
        folder.path().string() + ": has no shard train-*.tar");
  CHECK(data(Parts::train_and_test) ==
        folder.path().string() + ": has no folder in it, expected one for each class");
  folder.write("test/cat/a.png", png_of({3, 9, 9}, 1));
  CHECK(data(Parts::train_and_test) == folder.path().string() + ": has no folder train");
  CHECK(data(Parts::test_only).empty());
  folder.write("train/dog/a.png", png_of({3, 9, 9}, 1));
  CHECK(data(Parts::train_and_test) ==
        folder / "test/cat: is none of the 1 classes that are trained");
  fs::create_directories(folder / "train/cat");
  CHECK(data(Parts::train_and_test) == folder / "train/cat: has no image (.png, .jpg, .jpeg)");
  folder.write("train/cat/deep/er/a.png", png_of({3, 9, 9}, 1));
  CHECK(data(Parts::train_and_test).empty());
  fs::remove_all(folder / "test");
  CHECK(data(Parts::test_only) == folder.path().string() + ": has no folder test or val");
  // Folders of classes without halves are one half, tested on by the names of the network's classes.
  SourceOptions tested{.size = 8, .class_names = {"er", "other", "deep"}};
  fs::create_directories(folder / "one/deep");
  folder.write("one/deep/a.png", png_of({3, 9, 9}, 1));
  CHECK(open_source("folder:" + folder / "one", Parts::test_only, tested).test->label(0) == 2);
}

TEST_CASE("the half that nobody asks for is not looked at") {
  const ScratchFolder folder;
  write_folder(folder);
  folder.write("val/dog/bad.jpg", std::string("no image"));
  const std::string specification = "folder:" + folder.path().string();
  const Source source = open_source(specification, Parts::train_only, {.size = 16});
  CHECK(source.train->size() == 12);
  CHECK(source.test == nullptr);
  CHECK_THROWS_AS(open_source(specification, Parts::test_only, {.size = 16}), DataError);
  fs::rename(folder / "train", folder / "test");
  CHECK(message<DataError>([&] { open_source(specification, Parts::train_only, {.size = 16}); }) ==
        folder.path().string() + ": has no folder train");
  CHECK(open_source("synthetic:40", Parts::train_only).test == nullptr);
}

TEST_CASE("a source says how its images are brought to a size") {
  const ScratchFolder folder;
  write_folder(folder);
  const std::string specification = "folder:" + folder.path().string();
  CHECK(open(specification, {.size = 16}).resize == usual_resize(16));
  CHECK(open(specification, {.size = 16, .resize = 20}).resize == 20);
  CHECK_FALSE(open_source("synthetic:40").resize);
}

TEST_CASE("names of classes that are not UTF-8 are refused, as weights could not keep them") {
  const ScratchFolder folder;
  write_folder(folder);
  write_shards(folder);
  folder.write("train/caf\xe9/a.png", png_of({3, 9, 9}, 1));
  CHECK(message<DataError>([&] { open("folder:" + folder.path().string()); }) ==
        folder / "train: the name of the class \"caf\\ufffd\" is not UTF-8");
  folder.write("classes.txt", std::string("a\nb\ncaf\xe9\n"));
  CHECK(message<DataError>([&] { open("tar:" + folder.path().string()); }) ==
        folder / "classes.txt: the name of the class \"caf\\ufffd\" is not UTF-8");
}

TEST_CASE("an exported data set is read again as it was, as a folder and as shards") {
  const ScratchFolder folder;
  const Source source = open_source("synthetic:30,side=12,classes=3");
  export_images(source, ExportFormat::folder, folder / "f/", 20);
  export_images(source, ExportFormat::tar, folder / "t", 1000);
  const Source as_folder = open("folder:" + folder / "f", {}),
               as_shards = open("tar:" + folder / "t", {});
  CHECK(as_folder.train->size() == 20);
  CHECK(as_shards.train->size() == 30);
  CHECK(as_shards.test->size() == source.test->size());
  CHECK(as_shards.class_names == source.class_names);
  CHECK(fingerprint(*as_shards.train) == fingerprint(*source.train));
  CHECK(as_folder.train->origin(0) == folder / "f/train/0/000000.png");
  CHECK((pixels_of(*as_folder.train, 0) == pixels_of(*source.train, 0)));
  CHECK_THROWS_AS(export_images(source, ExportFormat::folder, folder / "f", 20),
                  std::invalid_argument);
  CHECK_THROWS_AS(export_images(source, ExportFormat::folder, folder / "no/f", 20),
                  std::runtime_error);
  std::set<std::string> left;
  for (const auto& entry : fs::directory_iterator(folder.path()))
    left.insert(entry.path().filename().string());
  CHECK(left.count("f") == 1);
}
