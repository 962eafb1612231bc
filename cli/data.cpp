// `autodidact data`
#include <fmt/format.h>

#include <ctime>
#include <limits>

#include "cli/augment_arguments.hpp"
#include "cli/command.hpp"
#include "cli/image_statistics.hpp"
#include "cli/source_arguments.hpp"
#include "data/contact_sheet.hpp"
#include "data/export.hpp"
#include "data/loader.hpp"
#include "data/operation.hpp"
#include "data/png.hpp"
#include "data/source.hpp"
#include "train/atomic_file.hpp"

namespace autodidact::cli {
namespace {

constexpr int kSizeIfMixed = 224;  // images of several sizes are looked at as networks for ImageNet see them

struct DataArguments {
  AugmentArgument augment;
  SourceArguments source;
  std::string preview, apply, in, out, exported, format = "folder";
  std::size_t limit = 0;
  bool stats = false, throughput = false;
  std::size_t samples = 12;
  std::uint64_t seed = 0;
  JsonOutput json;

  void declare(CLI::App& app);
  void check() const;
};

void DataArguments::declare(CLI::App& app) {
  source.declare(app);
  app.add_flag("--stats", stats, "print mean and deviation of each channel, and the images of each class");
  app.add_option("--preview", preview, "PNG to write: samples and what augmentation makes of them in 7 epochs");
  augment.declare(app, "for --preview and --throughput: ");
  app.add_flag("--throughput", throughput, "measure the images that one core loads and augments in a second");
  app.add_option("--samples", samples, "rows of --preview")->check(CLI::Range(1, 1000));
  app.add_option("--seed", seed, "which samples --preview shows, and of the augmentation");
  app.add_option("--export", exported, "folder to write with the images as PNG files; it must not be there yet");
  app.add_option("--export-format", format, "folder (HALF/CLASS/*.png) or tar (HALF-*.tar, WebDataset)")->check(CLI::IsMember({"folder", "tar"}));
  app.add_option("--limit", limit, "images of each half that --export writes, the first ones, with the first of each class among them; 0 = all");
  app.add_option("--apply", apply,
                 "apply one operation to IN.png and write OUT.png: shearX:5, shearX:-5, rotate:3, equalize …");
  app.add_option("in", in, "PNG that --apply reads");
  app.add_option("out", out, "PNG that --apply writes");
  json.declare(app);
}

void DataArguments::check() const {
  const bool about_data = stats || throughput || !preview.empty() || !exported.empty();
  if (!about_data && apply.empty())
    throw std::invalid_argument(
        "data: nothing to do, expected --stats, --preview, --throughput, --export or --apply; see autodidact data --help");
  if (about_data && source.data.empty())
    throw std::invalid_argument(
        fmt::format("data: {} needs --data", stats ? "--stats" : throughput ? "--throughput" : !preview.empty() ? "--preview" : "--export"));
  if (!apply.empty() && out.empty()) throw std::invalid_argument("data: --apply takes two files, IN.png OUT.png");
  if (apply.empty() && !in.empty())
    throw std::invalid_argument(fmt::format("data: {} is named, but only --apply takes files", in));
  if (json.wanted() && !stats) throw std::invalid_argument("data: --json is of --stats, whose result it writes");
  augment.check();
}

void apply_operation(const DataArguments& arguments) {
  const data::LeveledOperation operation = data::parse_operation(arguments.apply);
  data::Image image = data::read_png(arguments.in);
  std::vector<std::uint8_t> scratch;
  data::apply(operation, image, scratch);
  train::write_file_atomically(arguments.out, data::encode_png(image));
}

void write_preview(const DataArguments& arguments, const data::Source& source) {
  const data::AugmentOptions augment = arguments.augment.value(source);
  const data::Dataset& dataset = *source.train;
  auto samples = engine::permutation(arguments.seed, engine::Purpose::order, 0, dataset.size());
  samples.resize(std::min(samples.size(), arguments.samples));
  const data::Augmentation augmentation(augment, dataset.shape(), *source.normalisation);
  const data::Image sheet = make_contact_sheet(dataset, samples, augmentation, {.seed = arguments.seed});
  train::write_file_atomically(arguments.preview, data::encode_png(sheet));
  fmt::print(stderr, "{}: {} samples; left as they are, then {} in epochs 1 to {}\n", arguments.preview, samples.size(),
             data::augment_name(augment), data::ContactSheet{}.epochs);
}

// By processor time of one worker, so that other programs on the machine do not count; the consumer does nothing.
void measure_throughput(const DataArguments& arguments, const data::Source& source) {
  constexpr double kSeconds = 1;
  const data::AugmentOptions augment = arguments.augment.value(source);
  data::Loader loader(source.train, data::Augmentation(augment, source.train->shape(), *source.normalisation),
                      {.seed = arguments.seed});
  const std::clock_t start = std::clock();
  const auto seconds = [&] { return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC; };
  std::size_t images = 0;
  while (seconds() < kSeconds) {
    const data::Batch* batch = loader.next();
    if (batch) images += batch->count;
  }
  fmt::print(arguments.json.to_stdout() ? stderr : stdout,
             "{}: {:.0f} images a second of one core ({} images, {:.1f} s of processor time)\n", data::augment_name(augment),
             static_cast<double>(images) / seconds(), images, seconds());
}

void export_data(const DataArguments& arguments, const data::Source& source) {
  const auto format = arguments.format == "tar" ? data::ExportFormat::tar : data::ExportFormat::folder;
  data::export_images(source, format, arguments.exported, arguments.limit ? arguments.limit : std::numeric_limits<std::size_t>::max());
}

struct HalfStatistics {
  std::string name;
  std::size_t images = 0;
  data::Normalisation pixels;
  std::vector<std::size_t> per_class;
  std::shared_ptr<const data::ImageIndex> index;  // of folders and shards
};

// Images that must be decoded first are not all looked at.
std::size_t measured_images(const data::Source& source) {
  constexpr std::size_t kDecoded = 1000;
  return source.train_index || source.test_index ? kDecoded : std::numeric_limits<std::size_t>::max();
}

std::vector<HalfStatistics> measure(const data::Source& source) {
  std::vector<HalfStatistics> halves;
  for (const auto& [name, half] : {std::pair{"train", source.train}, {"test", source.test}}) {
    if (!half) continue;
    HalfStatistics statistics{name, half->size(), data::measure_normalisation(*half, measured_images(source)), {},
                              half == source.train ? source.train_index : source.test_index};
    statistics.per_class.resize(source.class_names.size());
    for (std::size_t i = 0; i < half->size(); ++i) ++statistics.per_class[static_cast<std::size_t>(half->label(i))];
    halves.push_back(std::move(statistics));
  }
  return halves;
}

std::string joined(const std::vector<float>& values) {
  std::string text;
  for (const float value : values) text += fmt::format(" {:.4f}", value);
  return text;
}

void print_table(const data::Source& source, const std::vector<HalfStatistics>& halves) {
  fmt::print("{} classes, images of {} channels and {}×{} pixels, values of 0 to 1\n", source.class_names.size(),
             source.channels, source.side, source.side);
  for (const HalfStatistics& half : halves)
    fmt::print("{:<6} {:>8} images   mean{}   std{}\n", half.name, half.images, joined(half.pixels.mean), joined(half.pixels.std));
  for (const HalfStatistics& half : halves) {
    if (!half.index) continue;
    fmt::print("{:<6} {}; mean and std of {} images\n", half.name, image_statistics_text(*half.index),
               std::min(half.images, measured_images(source)));
  }
  fmt::print("training normalises with    mean{}   std{}\n\n", joined(source.normalisation->mean), joined(source.normalisation->std));
  fmt::print("{:>5}  {:<24}", "class", "name");
  for (const HalfStatistics& half : halves) fmt::print(" {:>8}", half.name);
  fmt::print("\n");
  for (std::size_t q = 0; q < source.class_names.size(); ++q) {
    fmt::print("{:>5}  {:<24}", q, source.class_names[q]);
    for (const HalfStatistics& half : halves) fmt::print(" {:>8}", half.per_class[q]);
    fmt::print("\n");
  }
}

nlohmann::ordered_json to_json(const data::Source& source, const std::vector<HalfStatistics>& halves) {
  nlohmann::ordered_json json{{"channels", source.channels}, {"side", source.side}, {"class_names", source.class_names}};
  json["normalisation"] = {{"mean", source.normalisation->mean}, {"std", source.normalisation->std}};
  for (const HalfStatistics& half : halves) {
    json[half.name] = {{"images", half.images}, {"mean", half.pixels.mean}, {"std", half.pixels.std},
                       {"per_class", half.per_class}};
    if (half.index) json[half.name].update(image_statistics_json(*half.index));
  }
  return json;
}
}  // namespace

int run_data(const Arguments& arguments) {
  DataArguments data_arguments;
  App app("data", "Looks at data: statistics of a data set, a contact sheet and the speed of its augmentation, one operation on one "
                  "image.");
  data_arguments.declare(*app);
  app.parse(arguments);
  data_arguments.check();
  if (!data_arguments.apply.empty()) apply_operation(data_arguments);
  if (data_arguments.source.data.empty()) return 0;

  const data::Source source = data_arguments.source.open(kSizeIfMixed);
  if (!data_arguments.exported.empty()) export_data(data_arguments, source);
  if (!data_arguments.preview.empty()) write_preview(data_arguments, source);
  if (data_arguments.throughput) measure_throughput(data_arguments, source);
  if (data_arguments.stats) {
    const std::vector<HalfStatistics> halves = measure(source);
    if (!data_arguments.json.to_stdout()) print_table(source, halves);
    data_arguments.json.write(to_json(source, halves));
  }
  return 0;
}
}  // namespace autodidact::cli
