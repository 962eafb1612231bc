#include "train/weights.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>

#include "train/errors.hpp"

namespace autodidact::train {
namespace {

using engine::ParameterStore;
using engine::Section;
using engine::Slot;

constexpr std::string_view kTracked = "num_batches_tracked";
constexpr std::string_view kRunningMean = "running_mean";

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
  throw FileFormatError(fmt::format("{}: metadata {} must be a whole number, got \"{}\"",
                                    file.path.string(), key, text));
}

template <class T>
std::vector<T> read_list(const SafetensorsFile& file, const std::string& key) {
  const auto found = file.metadata.find(key);
  if (found == file.metadata.end()) return {};
  try {
    return nlohmann::json::parse(found->second).get<std::vector<T>>();
  } catch (const nlohmann::json::exception&) {
    throw FileFormatError(fmt::format("{}: metadata {} must be a JSON list, got \"{}\"",
                                      file.path.string(), key, found->second));
  }
}

void load_slot(const SafetensorsFile& file, const TensorRecord& record, ParameterStore& store,
               Section section, const Slot& slot) {
  if (record.type == FileType::f64) {
    const auto numbers = file.require(record.name, FileType::f64, shape_of(slot)).values<double>();
    store.set(section, slot, numbers);
    return;
  }
  const auto numbers = file.require(record.name, FileType::f32, shape_of(slot)).values<float>();
  store.set(section, slot, std::vector<double>(numbers.begin(), numbers.end()));
}
}  // namespace

Metadata to_metadata(const ModelInfo& info) {
  const auto json = [](const auto& list) { return nlohmann::json(list).dump(); };
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
          {"mean", json(info.mean)},
          {"std", json(info.std)}};
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
  info.class_names = read_list<std::string>(file, "class_names");
  info.mean = read_list<float>(file, "mean");
  info.std = read_list<float>(file, "std");
  return info;
}

void save_weights(const std::filesystem::path& path, const ModelInfo& info,
                  const ParameterStore& store, std::int64_t steps) {
  std::vector<std::vector<float>> numbers;
  std::vector<TensorView> tensors;
  const auto& layout = store.layout();
  numbers.reserve(layout.parameters().size() + layout.states().size());
  const auto add = [&](Section section, const Slot& slot) {
    const std::vector<double> wide = store.get(section, slot);
    numbers.emplace_back(wide.begin(), wide.end());
    tensors.push_back(view_of<float>(slot.name, shape_of(slot), numbers.back()));
  };
  for (const Slot& slot : layout.parameters()) add(Section::values, slot);
  for (const Slot& slot : layout.states()) {
    add(Section::states, slot);
    if (slot.name.ends_with(kRunningMean))
      tensors.push_back(view_of<std::int64_t>(tracked_name(slot.name), {}, {&steps, 1}));
  }
  write_safetensors(path, to_metadata(info), tensors);
}

LoadReport load_weights(const SafetensorsFile& file, ParameterStore& store, bool partial) {
  LoadReport report;
  std::set<std::string> known;
  const auto load = [&](Section section, const Slot& slot) {
    known.insert(slot.name);
    if (slot.name.ends_with(kRunningMean)) known.insert(tracked_name(slot.name));
    const TensorRecord* record = file.find(slot.name);
    if (!record) report.missing.push_back(slot.name);
    else load_slot(file, *record, store, section, slot);
  };
  for (const Slot& slot : store.layout().parameters()) load(Section::values, slot);
  for (const Slot& slot : store.layout().states()) load(Section::states, slot);
  for (const TensorRecord& tensor : file.tensors)
    if (!known.contains(tensor.name)) report.ignored.push_back(tensor.name);
  std::sort(report.missing.begin(), report.missing.end());
  if (!report.missing.empty() && !partial)
    throw FileFormatError(fmt::format("{} lacks {} tensors that the network needs, first {}",
                                      file.path.string(), report.missing.size(), report.missing.front()));
  store.touched();
  return report;
}
}  // namespace autodidact::train
