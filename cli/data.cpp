// `autodidact data`
#include <fmt/format.h>

#include <ctime>

#include "cli/augment_arguments.hpp"
#include "cli/command.hpp"
#include "data/contact_sheet.hpp"
#include "data/loader.hpp"
#include "data/operation.hpp"
#include "data/png.hpp"
#include "data/source.hpp"
#include "train/atomic_file.hpp"

namespace autodidact::cli {
namespace {

struct DataArguments {
  AugmentArgument augment;
  std::string data, preview, apply, in, out;
  bool stats = false, throughput = false;
  std::size_t samples = 12;
  std::uint64_t seed = 0;
  JsonOutput json;

  void declare(CLI::App& app);
  void check() const;
};

void DataArguments::declare(CLI::App& app) {
  app.add_option("--data", data, "fashion-mnist[:DIR], cifar100:DIR, cifar10:DIR, idx:DIR, synthetic[:N]");
  app.add_flag("--stats", stats, "print mean and deviation of each channel, and the images of each class");
  app.add_option("--preview", preview, "PNG to write: samples and what augmentation makes of them in 7 epochs");
  augment.declare(app, "for --preview and --throughput: ");
  app.add_flag("--throughput", throughput, "measure the images that one core loads and augments in a second");
  app.add_option("--samples", samples, "rows of --preview")->check(CLI::Range(1, 1000));
  app.add_option("--seed", seed, "which samples --preview shows, and of the augmentation");
  app.add_option("--apply", apply,
                 "apply one operation to IN.png and write OUT.png: shearX:5, shearX:-5, rotate:3, equalize …");
  app.add_option("in", in, "PNG that --apply reads");
  app.add_option("out", out, "PNG that --apply writes");
  json.declare(app);
}

void DataArguments::check() const {
  const bool about_data = stats || throughput || !preview.empty();
  if (!about_data && apply.empty())
    throw std::invalid_argument(
        "data: nothing to do, expected --stats, --preview, --throughput or --apply; see autodidact data --help");
  if (about_data && data.empty())
    throw std::invalid_argument(
        fmt::format("data: {} needs --data", stats ? "--stats" : throughput ? "--throughput" : "--preview"));
  if (!apply.empty() && out.empty()) throw std::invalid_argument("data: --apply takes two files, IN.png OUT.png");
  if (apply.empty() && !in.empty())
    throw std::invalid_argument(fmt::format("data: {} is named, but only --apply takes files", in));
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
  constexpr double kSeconds = 3;
  const data::AugmentOptions augment = arguments.augment.value(source);
  data::Loader loader(source.train, data::Augmentation(augment, source.train->shape(), *source.normalisation),
                      {.seed = arguments.seed, .workers = 1});
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

struct HalfStatistics {
  std::string name;
  std::size_t images = 0;
  data::Normalisation pixels;
  std::vector<std::size_t> per_class;
};

std::vector<HalfStatistics> measure(const data::Source& source) {
  std::vector<HalfStatistics> halves;
  for (const auto& [name, half] : {std::pair{"train", source.train}, {"test", source.test}}) {
    if (!half) continue;
    HalfStatistics statistics{name, half->size(), data::measure_normalisation(*half), {}};
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
  for (const HalfStatistics& half : halves)
    json[half.name] = {{"images", half.images}, {"mean", half.pixels.mean}, {"std", half.pixels.std},
                       {"per_class", half.per_class}};
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
  if (data_arguments.data.empty()) return 0;

  const data::Source source = data::open_source(data_arguments.data);
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
