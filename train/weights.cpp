#include "train/weights.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>
#include <stdexcept>
#include <type_traits>

#include "model/recipe.hpp"
#include "train/errors.hpp"
#include "data/one_line.hpp"
#include "data/resize.hpp"
#include "train/safetensors_header.hpp"
#include "train/strict_json.hpp"

namespace autodidact::train {
namespace {

using engine::ParameterStore;
using engine::Section;
using engine::Slot;

constexpr int kMaxResize = data::usual_resize(4096);  // of the largest --size
constexpr std::string_view kTracked = "num_batches_tracked";
constexpr std::string_view kTeacherHead = "fc4.", kTorchvisionHead = "fc.";
constexpr std::string_view kRunningMean = "running_mean", kRunningVariance = "running_var";

FileShape shape_of(const Slot& slot) {
  FileShape shape;
  for (int axis = 0; axis < slot.shape.rank(); ++axis) shape.push_back(slot.shape[axis]);
  return shape;
}

std::string tracked_name(const std::string& running_mean) {
  return running_mean.substr(0, running_mean.size() - kRunningMean.size()) + std::string(kTracked);
}

int read_int(const SafetensorsFile& file, const std::string& key) {
  const std::string& text = file.metadata.at(key);
  try {
    std::size_t end = 0;
    const int number = std::stoi(text, &end);
    if (end == text.size()) return number;
  } catch (const std::exception&) {
  }
  throw FileFormatError(fmt::format("{}: metadata {} must be a whole number, got {}",
                                    file.path.string(), key, data::in_quotes(text)));
}

// Empty where the text is, or where the key is not there.
std::optional<std::uint64_t> read_seed(const SafetensorsFile& file, const std::string& key) {
  const auto found = file.metadata.find(key);
  if (found == file.metadata.end() || found->second.empty()) return {};
  const std::string& text = found->second;
  std::uint64_t seed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
  if (error == std::errc() && end == text.data() + text.size()) return seed;
  throw FileFormatError(fmt::format("{}: metadata {} must be a whole number from 0 on, got \"{}\"", file.path.string(), key, text));
}

template <class T>
std::vector<T> read_list(const SafetensorsFile& file, const std::string& key) {
  const auto found = file.metadata.find(key);
  if (found == file.metadata.end()) return {};
  constexpr JsonLimits kLimits{.nesting = 1, .array = std::size_t{1} << 20};  // as many as there may be classes
  const auto refuse = [&](const std::string& why) {
    throw FileFormatError(fmt::format("{}: metadata {}, which must be a JSON list, {}: {}", file.path.string(), key, why, data::in_quotes(found->second)));
  };
  std::vector<T> list;
  try {
    const nlohmann::json parsed = parse_strict_json(found->second, kLimits);
    if (!parsed.is_array()) refuse("is none");
    for (const nlohmann::json& element : parsed) {
      if constexpr (std::is_integral_v<T>) list.push_back(whole_number<T>(element));
      else list.push_back(element.get<T>());
    }
  } catch (const std::invalid_argument& error) {
    refuse(error.what());
  } catch (const nlohmann::json::exception&) {
    refuse("has elements of another type");
  }
  return list;
}

// Of this name, or fc.* for fc4.*, as torchvision has it.
const TensorRecord* find_tensor(const SafetensorsFile& file, const std::string& name) {
  const TensorRecord* record = file.find(name);
  if (record || !name.starts_with(kTeacherHead)) return record;
  return file.find(std::string(kTorchvisionHead) + name.substr(kTeacherHead.size()));
}

void load_slot(const SafetensorsFile& file, const TensorRecord& record, ParameterStore& store,
               Section section, const Slot& slot) {
  const std::optional<std::vector<double>> numbers = record.numbers();
  if (!numbers) (void)file.require(record.name, FileType::f32);  // says what it is instead
  const bool variance = section == Section::states && slot.name.ends_with(kRunningVariance);
  const auto bad = std::find_if(numbers->begin(), numbers->end(), [&](double number) {
    return !std::isfinite(number) || (variance && number < 0);
  });
  if (bad != numbers->end())
    throw FileFormatError(fmt::format("{}: tensor {} holds {} at index {}", file.path.string(), record.name, *bad,
                                      bad - numbers->begin()));
  store.set(section, slot, *numbers);
}

void require_normalisation(const SafetensorsFile& file, const ModelInfo& info) {
  if (info.mean.empty() && info.std.empty()) return;
  const auto channels = static_cast<std::size_t>(info.channels);
  const bool fits = info.mean.size() == channels && info.std.size() == channels &&
                    std::all_of(info.mean.begin(), info.mean.end(), [](float mean) { return std::isfinite(mean); }) &&
                    std::all_of(info.std.begin(), info.std.end(), [](float std) { return std > 0 && std::isfinite(std); });
  if (!fits)
    throw FileFormatError(fmt::format("{}: metadata mean and std must hold a finite mean and a positive deviation for each of {} "
                                      "channels, got {} and {}",
                                      file.path.string(), info.channels, info.mean, info.std));
}

void require_sensible(const SafetensorsFile& file, const ModelInfo& info) {
  try {
    if (info.stem != "cifar" && info.stem != "imagenet")
      throw std::invalid_argument(fmt::format("the stem must be cifar or imagenet, got {}", info.stem));
    if (info.pooling != "global" && info.pooling != "window")
      throw std::invalid_argument(fmt::format("the pooling must be global or window, got {}", info.pooling));
    if (info.classes < static_cast<int>(info.class_names.size()))
      throw std::invalid_argument(fmt::format("{} classes cannot have {} names", info.classes, info.class_names.size()));
    for (const int stage : info.dilated_stages)
      if (stage < 2 || stage > 4) throw std::invalid_argument(fmt::format("stage {} cannot be dilated", stage));
    if (info.resize && (*info.resize < info.side || *info.resize > kMaxResize))
      throw std::invalid_argument(fmt::format("resize must be {} to {}, got {}", info.side, kMaxResize, *info.resize));
    model::check(network_of(info));
  } catch (const std::invalid_argument& error) {
    throw FileFormatError(fmt::format("{}: its metadata describe no network: {}", file.path.string(), data::one_line(error.what())));
  }
  require_normalisation(file, info);
}
}  // namespace

Metadata to_metadata(const ModelInfo& info) {
  // Names may hold any bytes; JSON holds only UTF-8.
  const auto json = [](const auto& list) {
    return nlohmann::json(list).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  };
  return {{"format", "autodidact"},
          {"model", info.model},
          {"width", std::to_string(info.width)},
          {"classes", std::to_string(info.classes)},
          {"class_names", json(info.class_names)},
          {"channels", std::to_string(info.channels)},
          {"side", std::to_string(info.side)},
          {"stem", info.stem},
          {"recipe", info.recipe},
          {"adaptation_exits", json(info.adaptation_exits)},
          {"groups", std::to_string(info.groups)},
          {"width_per_group", std::to_string(info.width_per_group)},
          {"dilated_stages", json(info.dilated_stages)},
          {"pooling", info.pooling},
          {"mean", json(info.mean)},
          {"std", json(info.std)},
          {"resize", info.resize ? std::to_string(*info.resize) : ""},
          {"validation_seed", info.validation_seed ? std::to_string(*info.validation_seed) : ""}};
}

std::optional<ModelInfo> model_info(const SafetensorsFile& file) {
  for (const char* key : {"model", "width", "classes", "channels", "side", "stem", "recipe"})
    if (!file.metadata.contains(key)) return {};
  ModelInfo info;
  info.model = file.metadata.at("model");
  info.width = read_int(file, "width");
  info.classes = read_int(file, "classes");
  info.channels = read_int(file, "channels");
  info.side = read_int(file, "side");
  info.stem = file.metadata.at("stem");
  info.recipe = file.metadata.at("recipe");
  info.adaptation_exits = read_list<int>(file, "adaptation_exits");
  // Written by this program only; where they are absent the network is the plain one.
  if (file.metadata.contains("groups")) info.groups = read_int(file, "groups");
  if (file.metadata.contains("width_per_group")) info.width_per_group = read_int(file, "width_per_group");
  if (file.metadata.contains("pooling")) info.pooling = file.metadata.at("pooling");
  info.dilated_stages = read_list<int>(file, "dilated_stages");
  info.class_names = read_list<std::string>(file, "class_names");
  info.mean = read_list<float>(file, "mean");
  info.std = read_list<float>(file, "std");
  if (const auto found = file.metadata.find("resize"); found != file.metadata.end() && !found->second.empty())
    info.resize = read_int(file, "resize");
  info.validation_seed = read_seed(file, "validation_seed");
  require_sensible(file, info);
  return info;
}

ModelInfo describe(const model::NetworkOptions& network, const std::string& recipe) {
  ModelInfo info;
  info.model = network.model;
  info.width = static_cast<int>(network.width);
  info.classes = static_cast<int>(network.classes);
  info.channels = static_cast<int>(network.channels);
  info.side = static_cast<int>(network.image_width);
  info.stem = network.stem == model::Stem::cifar ? "cifar" : "imagenet";
  info.recipe = recipe;
  if (network.branches) info.adaptation_exits = network.adaptation;
  info.groups = static_cast<int>(network.groups.value_or(0));
  info.width_per_group = static_cast<int>(network.width_per_group.value_or(0));
  for (std::size_t i = 0; i < network.replace_stride_with_dilation.size(); ++i)
    if (network.replace_stride_with_dilation[i]) info.dilated_stages.push_back(static_cast<int>(i) + 2);
  info.pooling = network.pooling == model::Pooling::global ? "global" : "window";
  return info;
}

model::NetworkOptions network_of(const ModelInfo& info) {
  model::NetworkOptions network;
  network.model = info.model;
  network.width = info.width;
  network.classes = info.classes;
  network.channels = info.channels;
  network.image_height = network.image_width = info.side;
  network.stem = info.stem == "imagenet" ? model::Stem::imagenet : model::Stem::cifar;
  network.branches = model::recipe_by_name(info.recipe).branches;
  network.adaptation = network.branches ? info.adaptation_exits : std::vector<int>{};
  if (info.groups) network.groups = info.groups;
  if (info.width_per_group) network.width_per_group = info.width_per_group;
  for (const int stage : info.dilated_stages) network.replace_stride_with_dilation.at(static_cast<std::size_t>(stage - 2)) = true;
  network.pooling = info.pooling == "window" ? model::Pooling::seed_window : model::Pooling::global;
  return network;
}

StateDict state_dict(const ParameterStore& store, std::int64_t steps) {
  StateDict dict;
  const auto& layout = store.layout();
  dict.tracked = {steps};
  dict.numbers.reserve(layout.parameters().size() + layout.states().size());
  const auto add = [&](Section section, const Slot& slot) {
    const std::vector<double> wide = store.get(section, slot);
    dict.numbers.emplace_back(wide.begin(), wide.end());
    dict.tensors.push_back(view_of<float>(slot.name, shape_of(slot), dict.numbers.back()));
  };
  for (const Slot& slot : layout.parameters()) add(Section::values, slot);
  for (const Slot& slot : layout.states()) {
    add(Section::states, slot);
    if (slot.name.ends_with(kRunningMean))
      dict.tensors.push_back(view_of<std::int64_t>(tracked_name(slot.name), {}, dict.tracked));
  }
  return dict;
}

std::int64_t steps_of(const SafetensorsFile& file) {
  std::int64_t steps = 0;
  for (const TensorRecord& tensor : file.tensors)
    if (tensor.name.ends_with(kTracked) && tensor.type == FileType::i64 && tensor.shape.empty())
      steps = std::max(steps, tensor.values<std::int64_t>()[0]);
  return steps;
}

void save_weights(const std::filesystem::path& path, const ModelInfo& info,
                  const ParameterStore& store, std::int64_t steps) {
  write_safetensors(path, to_metadata(info), state_dict(store, steps).tensors);
}

LoadReport load_weights(const SafetensorsFile& file, ParameterStore& store, bool partial) {
  LoadReport report;
  std::set<std::string> known;
  const auto load = [&](Section section, const Slot& slot) {
    if (slot.name.ends_with(kRunningMean)) known.insert(tracked_name(slot.name));
    const TensorRecord* record = find_tensor(file, slot.name);
    if (!record) return report.missing.push_back(slot.name);
    known.insert(record->name);
    if (partial && record->shape != shape_of(slot))
      return report.mismatched.push_back(
          fmt::format("{} {}, not {}", record->name, shape_text(record->shape), shape_text(shape_of(slot))));
    if (record->shape != shape_of(slot)) (void)file.require(record->name, record->type, shape_of(slot));  // says so
    load_slot(file, *record, store, section, slot);
    report.matched.push_back(slot.name);
  };
  for (const Slot& slot : store.layout().parameters()) load(Section::values, slot);
  for (const Slot& slot : store.layout().states()) load(Section::states, slot);
  for (const TensorRecord& tensor : file.tensors)
    if (!known.contains(tensor.name)) report.ignored.push_back(tensor.name);
  for (auto* names : {&report.matched, &report.missing, &report.mismatched}) std::sort(names->begin(), names->end());
  if (!report.missing.empty() && !partial)
    throw FileFormatError(fmt::format("{} lacks {} tensors that the network needs, first {}",
                                      file.path.string(), report.missing.size(), report.missing.front()));
  store.touched();
  return report;
}
}  // namespace autodidact::train
