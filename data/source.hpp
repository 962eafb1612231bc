// data/source.hpp: what `--data` names, opened.
//
//   cifar10:DIR  cifar100:DIR     binary records, see cifar.hpp; or one .bin file
//   fashion-mnist[:DIR]           IDX files, by default where Debian's dataset-fashion-mnist puts them
//   idx:DIR                       IDX files of the MNIST family, see idx.hpp; or a prefix, or one file of images
//   folder:DIR                    PNG and JPEG files in DIR/train/CLASS and DIR/test/CLASS, see image_source.hpp
//   tar:DIR  tar:PATTERN          the same in shards, see tar_shards.hpp
//   synthetic[:N,side=32,channels=3,classes=10,seed=0]   N training samples made up, see synthetic.hpp; each may be left out
//
// One file instead of a folder is one half only: what is trained on, or, where only testing is asked for, what is tested on.
// Networks take square images. Those of 28 pixels get a border of 2 pixels of value 0 and so the 32 pixels that the networks were
// made for; every other side is taken as it is.
// Errors: std::invalid_argument for a malformed specification (unknown kinds are answered with the list), DataError for what is
// wrong with the files.
#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/augment.hpp"
#include "data/dataset.hpp"
#include "data/image_index.hpp"
#include "data/normalisation.hpp"

namespace autodidact::data {

enum class Parts { train_and_test, train_only, test_only };

struct Source {
  DatasetPointer train;  // null with Parts::test_only
  DatasetPointer test;   // null with Parts::train_only, or where one file was named to train on

  int channels = 0;
  int side = 0;  // pixels, the border included
  std::vector<std::string> class_names;
  // CIFAR's by name, ImageNet's for folders and shards, else measured on the training half before any border is added; so absent
  // with Parts::test_only for others.
  std::optional<Normalisation> normalisation;
  Augment default_augment = Augment::crop_flip;  // none for IDX

  // Of folders and shards of images; otherwise null, empty and false.
  std::shared_ptr<const ImageIndex> train_index = nullptr, test_index = nullptr;
  std::optional<int> resize = {};  // Framing::resize, where images are brought to a size
  bool random_crop =
      false;  // training shows random parts of the images, AugmentOptions::random_crop
};

// How folders and shards of images are read; for other data nothing may be set that changes images.
struct SourceOptions {
  std::optional<int> size = {};           // pixels a side; without: as they are, all of one size
  std::optional<int> size_if_mixed = {};  // where those of a half are not, and no size is given
  std::optional<int> resize =
      {};  // of the short side before the middle is cut out; without: usual_resize(size)
  bool random_crop =
      true;           // what training sees of images that are brought to a size; else the middle
  bool grey = false;  // one channel, not three
  std::vector<std::string> class_names =
      {};  // of the network that is tested; without: those of the data
  OnBad on_bad = OnBad::stop;
  std::filesystem::path cache_folder = {};  // of the index; empty: none is kept
  Say say = [](const std::string&) {};
  std::function<bool()> stop = [] { return false; };  // asked between two files of images, by several threads
};

// Reads the files into memory, but images of folders and shards only when they are asked for. A half that is not asked for is not
// touched (xz takes seconds). Interrupted where `stop` says so.
Source open_source(std::string_view specification, Parts parts = Parts::train_and_test,
                   const SourceOptions& options = {});

}  // namespace autodidact::data
