#include "data/source.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <stdexcept>
#include <utility>

#include "data/cifar.hpp"
#include "data/error.hpp"
#include "data/idx.hpp"
#include "data/image_source.hpp"
#include "data/synthetic.hpp"

namespace autodidact::data {
namespace fs = std::filesystem;

namespace {

constexpr std::string_view kKinds =
    "cifar10:DIR, cifar100:DIR, fashion-mnist[:DIR], idx:DIR, folder:DIR, tar:DIR, synthetic[:N]";
constexpr std::string_view kFashionFolder = "/usr/share/datasets/fashion-mnist";

struct ReadHalf {
  DatasetPointer images;
  bool has_wanted_size = false;  // brought to a size that somebody asked for
};

// Reads one half; the names of the classes are given once they are known.
using Reader = std::function<ReadHalf(Half, std::vector<std::string> class_names)>;

std::uint64_t parse_number(std::string_view specification, std::string_view name,
                           std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > 1u << 30) {
    throw std::invalid_argument(
        fmt::format("--data {}: {} must be a whole number from 0 to {}, got \"{}\"", specification,
                    name, 1u << 30, text));
  }
  return value;
}

SyntheticOptions parse_synthetic(std::string_view specification, std::string_view rest) {
  SyntheticOptions options;
  for (bool first = true; !rest.empty(); first = false) {
    const std::string_view field = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(field.size() + 1, rest.size()));
    const std::size_t equals = field.find('=');
    if (first && equals == std::string_view::npos) {
      options.train_samples = parse_number(specification, "the number of samples", field);
      continue;
    }
    const std::string_view name = field.substr(0, equals);
    const std::string_view text = equals == std::string_view::npos ? "" : field.substr(equals + 1);
    const auto number = [&] { return parse_number(specification, name, text); };
    if (name == "side") {
      options.side = static_cast<int>(number());
    } else if (name == "channels") {
      options.channels = static_cast<int>(number());
    } else if (name == "classes") {
      options.classes = static_cast<int>(number());
    } else if (name == "seed") {
      options.seed = number();
    } else {
      throw std::invalid_argument(
          fmt::format("--data {}: unknown option \"{}\", expected side, channels, classes or seed",
                      specification, name));
    }
  }
  return options;
}

const std::vector<std::string>& fashion_classes() {
  static const std::vector<std::string> names = {"T-shirt/top", "Trouser",   "Pullover", "Dress",
                                                 "Coat",        "Sandal",    "Shirt",    "Sneaker",
                                                 "Bag",         "Ankle boot"};
  return names;
}

// Brings images to a form that networks take.
DatasetPointer fit(ReadHalf half) {
  constexpr int kSmallSide = 28, kBorder = 2;
  const ImageShape shape = half.images->shape();
  if (shape.height != shape.width) {
    throw DataError(fmt::format("{}: images are {} pixels high and {} wide, expected square ones",
                                half.images->origin(0), shape.height, shape.width));
  }
  if (shape.height != kSmallSide || half.has_wanted_size) return half.images;
  return std::make_shared<PaddedDataset>(std::move(half.images), kBorder, std::uint8_t{0});
}

// `known_normalisation`: where the normalisation goes by name.
Source read_halves(Parts parts, bool one_file, std::optional<Normalisation> known_normalisation,
                   const Reader& read) {
  Source source;
  source.normalisation = std::move(known_normalisation);
  if (parts == Parts::test_only) {
    source.test = fit(read(Half::test, {}));
  } else {
    const ReadHalf train = read(Half::train, {});
    if (!source.normalisation) source.normalisation = measure_normalisation(*train.images);
    source.train = fit(train);
    if (parts == Parts::train_and_test && !one_file)
      source.test = fit(read(Half::test, train.images->class_names()));
  }
  const Dataset& known = source.train ? *source.train : *source.test;
  if (source.test && source.test->shape() != known.shape()) {
    throw DataError(fmt::format(
        "{}: test images have {} channels and {} pixels a side, training images {} and {}",
        source.test->origin(0), source.test->shape().channels, source.test->shape().height,
        known.shape().channels, known.shape().height));
  }
  source.channels = known.shape().channels;
  source.side = known.shape().height;
  source.class_names = known.class_names();
  return source;
}

void require_as_they_are(std::string_view specification, const SourceOptions& options) {
  if (!options.size && !options.resize && !options.grey) return;
  throw std::invalid_argument(fmt::format(
      "--data {}: a size, --resize and --grey are for folder: and tar: only", specification));
}

}  // namespace

Source open_source(std::string_view specification, Parts parts, const SourceOptions& options) {
  const std::size_t colon = specification.find(':');
  const std::string_view kind = specification.substr(0, colon);
  std::string_view rest = colon == std::string_view::npos ? "" : specification.substr(colon + 1);

  if (kind == "synthetic") {
    require_as_they_are(specification, options);
    const SyntheticOptions synthetic = parse_synthetic(specification, rest);
    return read_halves(parts, false, {},
                       [&](Half half, auto) { return ReadHalf{make_synthetic(synthetic, half)}; });
  }
  if ((kind == "folder" || kind == "tar") && !rest.empty()) {
    const auto format = kind == "folder" ? ImageSource::Format::folder : ImageSource::Format::tar;
    ImageSource images(format, std::string(rest), parts, options);
    Source source = read_halves(parts, images.has_one_half(), images.normalisation(),
                                [&](Half half, auto) {
                                  return ReadHalf{images.read(half), images.is_framed()};
                                });
    images.describe(source);
    return source;
  }
  const bool cifar = kind == "cifar10" || kind == "cifar100";
  const bool fashion = kind == "fashion-mnist";
  if (!cifar && !fashion && kind != "idx" && kind != "folder" && kind != "tar") {
    throw std::invalid_argument(
        fmt::format("unknown data \"{}\", expected one of {}", specification, kKinds));
  }
  if (rest.empty() && fashion) rest = kFashionFolder;
  if (rest.empty()) {
    throw std::invalid_argument(
        fmt::format("--data {}: expected a folder, {}:DIR", specification, kind));
  }
  require_as_they_are(specification, options);
  const fs::path location(rest);
  std::error_code error;
  const bool one_file = fs::is_regular_file(location, error);
  if (cifar) {
    const Cifar which = kind == "cifar10" ? Cifar::ten : Cifar::hundred;
    return read_halves(parts, one_file, cifar_normalisation(),
                       [&](Half half, auto) { return ReadHalf{read_cifar(which, half, location)}; });
  }
  Source source =
      read_halves(parts, one_file, {}, [&](Half half, std::vector<std::string> class_names) {
        return ReadHalf{read_idx(half, location, fashion ? fashion_classes() : std::move(class_names))};
      });
  source.default_augment = Augment::none;
  return source;
}

}  // namespace autodidact::data
