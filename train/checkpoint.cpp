#include "train/checkpoint.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "train/errors.hpp"

namespace autodidact::train {
namespace {

using engine::ParameterStore;
using engine::Section;
using engine::Slot;
using nlohmann::json;

constexpr const char* kFormat = "autodidact checkpoint 1";
// The member of RunState behind each tensor of text.
constexpr std::pair<const char*, std::string RunState::*> kTexts[] = {{"config", &RunState::config},
                                                                      {"metrics", &RunState::metrics},
                                                                      {"choices", &RunState::choices},
                                                                      {"timings", &RunState::timings}};

// nlohmann writes the fewest digits that read back to the same double, and null for what is missing.
json to_json(const ExitAccuracies& accuracies) {
  json list = json::array();
  for (const double exit : accuracies.exits) list.push_back(exit);
  list.push_back(accuracies.ensemble);
  return list;
}
ExitAccuracies accuracies_from(const json& list) {
  ExitAccuracies accuracies;
  const auto number = [&](std::size_t i) { return list.at(i).is_null() ? kMissing : list.at(i).get<double>(); };
  for (std::size_t k = 0; k < kExits; ++k) accuracies.exits[k] = number(k);
  accuracies.ensemble = number(kExits);
  return accuracies;
}

json to_json(const Stretch::Sums& sums) {
  return {{"loss", {sums.loss.total, sums.loss.ce, sums.loss.soft, sums.loss.feature}},
          {"steps", sums.steps},
          {"images", sums.images},
          {"seconds", sums.seconds},
          {"counted", sums.tally.images},
          {"correct", sums.tally.correct},
          {"present", sums.tally.present},
          {"ensemble_correct", sums.tally.ensemble_correct}};
}
Stretch::Sums sums_from(const json& object) {
  Stretch::Sums sums;
  const json& loss = object.at("loss");
  sums.loss = {loss.at(0).get<double>(), loss.at(1).get<double>(), loss.at(2).get<double>(), loss.at(3).get<double>()};
  object.at("steps").get_to(sums.steps);
  object.at("images").get_to(sums.images);
  object.at("seconds").get_to(sums.seconds);
  object.at("counted").get_to(sums.tally.images);
  object.at("correct").get_to(sums.tally.correct);
  object.at("present").get_to(sums.tally.present);
  object.at("ensemble_correct").get_to(sums.tally.ensemble_correct);
  return sums;
}

std::string to_text(const RunState& state) {
  json history = json::array();
  for (const ExitAccuracies& accuracies : state.history) history.push_back(to_json(accuracies));
  const json object = {{"epoch", state.epoch},
                       {"step", state.step},
                       {"steps", state.steps},
                       {"best_epoch", state.best_epoch},
                       {"best_step", state.best_step},
                       {"best", to_json(state.best)},
                       {"history", history},
                       {"epoch_sums", to_json(state.epoch_sums)},
                       {"row_sums", to_json(state.row_sums)},
                       {"machine", state.machine},
                       {"precision", state.precision},
                       {"data", state.data}};
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

RunState state_from(const std::string& text) {
  const json object = json::parse(text);
  RunState state;
  object.at("epoch").get_to(state.epoch);
  object.at("step").get_to(state.step);
  object.at("steps").get_to(state.steps);
  object.at("best_epoch").get_to(state.best_epoch);
  object.at("best_step").get_to(state.best_step);
  state.best = accuracies_from(object.at("best"));
  for (const json& accuracies : object.at("history")) state.history.push_back(accuracies_from(accuracies));
  state.epoch_sums = sums_from(object.at("epoch_sums"));
  state.row_sums = sums_from(object.at("row_sums"));
  object.at("machine").get_to(state.machine);
  state.precision = object.value("precision", state.precision);
  object.at("data").get_to(state.data);
  return state;
}

bool sensible(const RunState& state) {
  return state.epoch >= 0 && state.step >= 0 && state.steps >= state.step && state.best_epoch >= 0 &&
         state.best_epoch <= state.epoch && state.best_step >= 0 && state.best_step <= state.steps;
}

FileType file_type(engine::DType type) { return type == engine::DType::f64 ? FileType::f64 : FileType::f32; }

FileShape shape_of(const Slot& slot) {
  FileShape shape;
  for (int i = 0; i < slot.shape.rank(); ++i) shape.push_back(slot.shape[i]);
  return shape;
}

void copy_section(std::vector<std::byte>& to, const ParameterStore& store, Section section, std::int64_t elements) {
  to.resize(static_cast<std::size_t>(elements) * bytes_of(store.master()));
  if (!to.empty()) std::memcpy(to.data(), store.data(section), to.size());
}
}  // namespace

void Snapshot::take(RunState state, const ParameterStore& store) {
  state_ = std::move(state);
  layout_ = store.shared_layout();
  master_ = store.master();
  copy_section(values_, store, Section::values, layout_->parameter_elements());
  copy_section(momentum_, store, Section::momentum, layout_->parameter_elements());
  copy_section(states_, store, Section::states, layout_->state_elements());
}

void Snapshot::write(const std::filesystem::path& path) const {
  std::vector<TensorView> tensors;
  const auto add = [&](const char* section, const Slot& slot, const std::vector<std::byte>& from) {
    const std::size_t width = bytes_of(master_);
    tensors.push_back({fmt::format("{}/{}", section, slot.name), file_type(master_), shape_of(slot),
                       std::span(from).subspan(static_cast<std::size_t>(slot.offset) * width,
                                               static_cast<std::size_t>(slot.count) * width)});
  };
  for (const Slot& slot : layout_->parameters()) {
    add("values", slot, values_);
    add("momentum", slot, momentum_);
  }
  for (const Slot& slot : layout_->states()) add("states", slot, states_);
  for (const auto& [name, member] : kTexts) {
    const std::string& text = state_.*member;
    tensors.push_back({name, FileType::u8, {static_cast<std::int64_t>(text.size())}, std::as_bytes(std::span(text))});
  }
  write_sealed_safetensors(path, {{"format", kFormat}, {"state", to_text(state_)}}, tensors);
}

Checkpoint read_checkpoint(const std::filesystem::path& path) {
  SafetensorsFile file = read_sealed_safetensors(path);
  const auto format = file.metadata.find("format"), state = file.metadata.find("state");
  if (format == file.metadata.end() || format->second != kFormat || state == file.metadata.end())
    throw FileFormatError(fmt::format("{} is not a checkpoint of this version", path.string()));
  Checkpoint checkpoint{std::move(file), {}};
  try {
    checkpoint.state = state_from(checkpoint.file.metadata.at("state"));
  } catch (const json::exception& error) {
    throw FileFormatError(fmt::format("{}: its state cannot be understood: {}", path.string(), error.what()));
  }
  if (!sensible(checkpoint.state)) throw FileFormatError(fmt::format("{}: its state makes no sense", path.string()));
  for (const auto& [name, member] : kTexts) {
    const auto bytes = checkpoint.file.require(name, FileType::u8).values<char>();
    (checkpoint.state.*member).assign(bytes.begin(), bytes.end());
  }
  return checkpoint;
}

void restore(const Checkpoint& checkpoint, ParameterStore& store, bool momentum) {
  const std::size_t width = bytes_of(store.master());
  const auto load = [&](const char* name, Section section, const Slot& slot) {
    const TensorRecord& tensor =
        checkpoint.file.require(fmt::format("{}/{}", name, slot.name), file_type(store.master()), shape_of(slot));
    if (!tensor.bytes.empty())
      std::memcpy(store.data(section) + static_cast<std::size_t>(slot.offset) * width, tensor.bytes.data(), tensor.bytes.size());
  };
  for (const Slot& slot : store.layout().parameters()) {
    load("values", Section::values, slot);
    if (momentum) load("momentum", Section::momentum, slot);
  }
  for (const Slot& slot : store.layout().states()) load("states", Section::states, slot);
  store.stage();
  store.touched();
}
}  // namespace autodidact::train
