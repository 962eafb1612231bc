// `autodidact trace` against PyTorch's numbers (tests/oracle/), and the ways in which a batch can be wrong.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <set>

#include "tests/cli/program.hpp"
#include "train/safetensors.hpp"

namespace {
using namespace autodidact;
using namespace autodidact::cli::testing;
using train::SafetensorsFile, train::TensorRecord, train::TensorView;
namespace fs = std::filesystem;

// f32 with direct convolutions: 2e-7 a sum, grown by the layers of batch norm and by cancellation.
constexpr double kF32Tolerance = 1e-4;
constexpr double kLearningRate = 0.01, kWeightDecay = 5e-4;

const SafetensorsFile& golden() {
  static const SafetensorsFile file =
      train::read_safetensors(fs::path(AUTODIDACT_SOURCE_DIR) / "tests/oracle/resnet18.safetensors");
  return file;
}

std::vector<double> numbers(const TensorRecord& tensor) {
  if (tensor.type == train::FileType::f64) return {tensor.values<double>().begin(), tensor.values<double>().end()};
  return {tensor.values<float>().begin(), tensor.values<float>().end()};
}

double relative_error(const std::vector<double>& ours, const std::vector<double>& theirs) {
  REQUIRE(ours.size() == theirs.size());
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    difference += (ours[i] - theirs[i]) * (ours[i] - theirs[i]);
    size += theirs[i] * theirs[i];
  }
  return std::sqrt(difference) / std::max(std::sqrt(size), 1e-6 * std::sqrt(static_cast<double>(ours.size())));
}

TensorView view(const TensorRecord& tensor, std::string name) { return {std::move(name), tensor.type, tensor.shape, tensor.bytes}; }

// The golden file's start as files of weights and of a batch.
struct Files {
  ScratchDirectory folder;
  std::string weights = (folder / "w.safetensors").string(), batch = (folder / "b.safetensors").string(),
              out = (folder / "t.safetensors").string();

  Files() {
    write_weights();
    write_batch();
  }
  void write_weights(const std::string& without = "", bool extra = false, const std::string& huge = "") const {
    std::vector<TensorView> tensors;
    std::vector<float> large;
    std::vector<std::vector<float>> statistics;
    statistics.reserve(golden().tensors.size());
    for (const TensorRecord& tensor : golden().tensors) {
      if (tensor.name.starts_with("weight/")) tensors.push_back(view(tensor, tensor.name.substr(7)));
      if (!tensor.name.starts_with("after1/")) continue;
      const float value = tensor.name.ends_with("var") ? 1.0F : 0.0F;
      statistics.emplace_back(static_cast<std::size_t>(tensor.shape[0]), value);
      tensors.push_back(train::view_of<float>(tensor.name.substr(7), tensor.shape, statistics.back()));
    }
    std::erase_if(tensors, [&](const TensorView& tensor) { return tensor.name == without; });
    for (TensorView& tensor : tensors) {
      if (tensor.name != huge) continue;
      large.assign(tensor.bytes.size() / sizeof(float), std::numeric_limits<float>::max());
      tensor = train::view_of<float>(huge, tensor.shape, large);
    }
    if (extra) tensors.push_back(view(golden().require("images", train::FileType::f32), "fc.extra"));
    train::write_safetensors(weights, {}, tensors);
  }
  void write_batch() const {
    train::write_safetensors(batch, {}, std::vector<TensorView>{view(*golden().find("images"), "images"), view(*golden().find("labels"), "labels")});
  }
  std::string command(const std::string& options = "") const {
    return "trace --model resnet18 --width 4 --classes 10 --lr 0.01 --threads 2 --weights " + weights + " --batch " + batch +
           " --out " + out + " " + options;
  }
};

void check_refused(const Files& files, int status, const std::vector<std::string>& parts) {
  const Outcome outcome = run(files.command());
  INFO(outcome.err);
  CHECK(outcome.status == status);
  CHECK(ends_with_sentence(outcome.err));
  for (const std::string& part : parts) CHECK(contains(outcome.err, part));
  CHECK_FALSE(fs::exists(files.out));
}

std::vector<double> named(const SafetensorsFile& file, const std::string& name) {
  const TensorRecord* tensor = file.find(name);
  CAPTURE(name);
  REQUIRE(tensor != nullptr);
  return numbers(*tensor);
}
}  // namespace

TEST_CASE("trace: one step has PyTorch's numbers, and every node has its value") {
  const Files files;
  const Outcome outcome = run(files.command());
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  CHECK(outcome.err.empty());
  const SafetensorsFile trace = train::read_safetensors(files.out);

  for (const TensorRecord& tensor : golden().tensors) {
    std::string name = tensor.name;
    if (name.starts_with("after1/")) name = "after/" + name.substr(7);
    else if (!name.starts_with("logits/") && !name.starts_with("feature/") && !name.starts_with("loss/") && !name.starts_with("grad/"))
      continue;
    CAPTURE(name);
    REQUIRE(trace.find(name) != nullptr);
    CHECK(trace.find(name)->type == train::FileType::f32);
    CHECK(trace.find(name)->shape == tensor.shape);
    CHECK(relative_error(numbers(*trace.find(name)), numbers(tensor)) <= kF32Tolerance);
  }
  for (const char* node : {"conv1", "bn1", "relu", "layer1.0.relu1", "layer1.0.add", "layer4.1.bn2", "attention1.gate", "scala1.pool", "fc3",
                           "adaptation_layers.1", "loss/total"}) {
    CAPTURE(node);
    CHECK(trace.find("value/" + std::string(node)) != nullptr);
  }
  CHECK(trace.require("value/conv1", train::FileType::f32).shape == train::FileShape{8, 4, 32, 32});
  CHECK(named(trace, "value/fc4") == named(trace, "logits/4"));
  CHECK(trace.metadata.at("model") == "resnet18");
}

TEST_CASE("trace: the parameters after the step are those of one step of SGD from zero momentum") {
  const Files files;
  REQUIRE(run(files.command()).status == 0);
  const SafetensorsFile trace = train::read_safetensors(files.out);
  for (const char* parameter : {"conv1.weight", "layer2.0.bn1.bias", "fc1.bias"}) {
    const auto before = named(golden(), "weight/" + std::string(parameter));
    auto expected = named(trace, "grad/" + std::string(parameter));
    for (std::size_t i = 0; i < expected.size(); ++i)
      expected[i] = before[i] - kLearningRate * (expected[i] + kWeightDecay * before[i]);
    CHECK(relative_error(named(trace, "after/" + std::string(parameter)), expected) <= 1e-6);  // a few roundings in f32
  }
}

TEST_CASE("trace: as trained, what survives is what the full trace holds") {
  const Files files;
  REQUIRE(run(files.command()).status == 0);
  const SafetensorsFile full = train::read_safetensors(files.out);
  REQUIRE(run(files.command("--as-trained --choose fixed")).status == 0);
  const SafetensorsFile trained = train::read_safetensors(files.out);
  int values = 0;
  for (const TensorRecord& tensor : trained.tensors) {
    CAPTURE(tensor.name);
    REQUIRE(full.find(tensor.name) != nullptr);
    CHECK(relative_error(numbers(tensor), numbers(*full.find(tensor.name))) <= 1e-3);  // Winograd, and two f32 results compared
    values += tensor.name.starts_with("value/") ? 1 : 0;
  }
  CHECK(values > 0);
  for (const char* name : {"logits/1", "loss/total", "grad/conv1.weight", "after/fc4.bias", "after/bn1.running_var"})
    CHECK(trained.find(name) != nullptr);
}

TEST_CASE("trace: a step that is not finite is exit code 5 that names the first such tensor, and the file holds all of that step") {
  const Files files;
  files.write_weights("", false, "layer1.0.conv1.weight");
  const Outcome outcome = run(files.command());
  INFO(outcome.err);
  CHECK(outcome.status == 5);
  CHECK(contains(outcome.err, "layer1.0.conv1"));
  const SafetensorsFile trace = train::read_safetensors(files.out);
  for (const char* layer : {"layer1.0.bn1", "layer2.0.bn1", "layer4.1.bn2"}) {
    CAPTURE(layer);
    for (const double mean : named(trace, fmt::format("after/{}.running_mean", layer))) CHECK_FALSE(std::isfinite(mean));  // it was 0
  }
}

TEST_CASE("trace: the reference backend writes f64") {
  const Files files;
  REQUIRE(run(files.command("--backend reference")).status == 0);
  const SafetensorsFile trace = train::read_safetensors(files.out);
  CHECK(relative_error(numbers(trace.require("grad/conv1.weight", train::FileType::f64)), named(golden(), "grad/conv1.weight")) <= 1e-9);
  CHECK(run(files.command("--backend reference --as-trained")).status == 2);
}

TEST_CASE("trace: a missing weight is an error, one too many is named and ignored") {
  const Files files;
  files.write_weights("layer3.0.bn1.bias");
  check_refused(files, 4, {"w.safetensors", "layer3.0.bn1.bias"});
  files.write_weights("", true);
  const Outcome outcome = run(files.command());
  CHECK(outcome.status == 0);
  CHECK(contains(outcome.err, "fc.extra"));
}

TEST_CASE("trace: a batch that does not fit is refused by file and tensor") {
  const Files files;
  const std::vector<float> images(2 * 3 * 8 * 8, 0.5F), gray(2 * 8 * 8, 0.5F);
  const std::vector<std::int64_t> labels{1, 10}, good{1, 9}, short_of_one{1};
  const auto write = [&](const TensorView& x, const TensorView& y) { train::write_safetensors(files.batch, {}, std::vector<TensorView>{x, y}); };
  const auto image_view = train::view_of<float>("images", {2, 3, 8, 8}, images);
  const auto label_view = train::view_of<std::int64_t>("labels", {2}, good);

  write(image_view, train::view_of<std::int64_t>("labels", {2}, labels));
  check_refused(files, 3, {"b.safetensors", "labels[1] is 10", "0 to 9"});
  write(image_view, train::view_of<std::int64_t>("labels", {1}, short_of_one));
  check_refused(files, 3, {"b.safetensors", "labels", "[2]", "[1]"});
  write(image_view, train::view_of<std::int64_t>("label", {2}, good));
  check_refused(files, 3, {"b.safetensors", "labels"});
  write(train::view_of<float>("images", {2, 192}, images), label_view);
  check_refused(files, 3, {"b.safetensors", "images", "N, C, H, W"});
  write(train::view_of<float>("images", {2, 1, 8, 8}, gray), label_view);
  check_refused(files, 3, {"b.safetensors", "images", "3 channels", "(2,1,8,8)"});
  const std::vector<double> wide(images.begin(), images.end());
  write(train::view_of<double>("images", {2, 3, 8, 8}, wide), label_view);
  check_refused(files, 3, {"b.safetensors", "images", "F32"});
  write_text(files.batch, "garbage");
  check_refused(files, 3, {"b.safetensors"});
}
