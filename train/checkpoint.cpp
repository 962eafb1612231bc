#include "train/checkpoint.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <span>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "train/errors.hpp"
#include "data/one_line.hpp"
#include "train/strict_json.hpp"

namespace autodidact::train {
namespace {

using engine::ParameterStore;
using engine::Section;
using engine::Slot;
using nlohmann::json;

constexpr const char* kFormat = "autodidact checkpoint 2";
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

ExitLosses::List losses_from(const json& list) {
  ExitLosses::List losses = ExitLosses::kNone;
  for (std::size_t k = 0; k < kExits; ++k)
    if (!list.at(k).is_null()) losses[k] = list.at(k).get<double>();
  return losses;
}

json to_json(const Stretch::Sums& sums) {
  return {{"loss", {sums.loss.total, sums.loss.ce, sums.loss.soft, sums.loss.feature}},
          {"exit_losses", {sums.loss.exits.ce, sums.loss.exits.soft, sums.loss.exits.feature}},
          {"gradient_norm", sums.gradient_norm},
          {"clipped", sums.clipped},
          {"steps", sums.steps},
          {"images", sums.images},
          {"seconds", sums.seconds},
          {"counted", sums.tally.images},
          {"correct", sums.tally.correct},
          {"present", sums.tally.present},
          {"ensemble_correct", sums.tally.ensemble_correct}};
}
template <class T>
void read_whole(const json& object, const char* key, T& number) {
  number = whole_number<T>(object.at(key));
}
Stretch::Sums sums_from(const json& object) {
  Stretch::Sums sums;
  const json& loss = object.at("loss");
  sums.loss = {loss.at(0).get<double>(), loss.at(1).get<double>(), loss.at(2).get<double>(), loss.at(3).get<double>(), {}};
  const json& exits = object.at("exit_losses");
  sums.loss.exits = {losses_from(exits.at(0)), losses_from(exits.at(1)), losses_from(exits.at(2))};
  object.at("gradient_norm").get_to(sums.gradient_norm);
  sums.clipped = object.at("clipped").is_null() ? kMissing : object.at("clipped").get<double>();
  read_whole(object, "steps", sums.steps);
  object.at("images").get_to(sums.images);
  object.at("seconds").get_to(sums.seconds);
  read_whole(object, "counted", sums.tally.images);
  for (std::size_t k = 0; k < kExits; ++k) sums.tally.correct[k] = whole_number<std::int64_t>(object.at("correct").at(k));
  object.at("present").get_to(sums.tally.present);
  read_whole(object, "ensemble_correct", sums.tally.ensemble_correct);
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
                       {"data", state.data},
                       {"init_from", state.init_from ? json(to_json(*state.init_from)) : json()}};
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

RunState state_from(const std::string& text) {
  const json object = parse_strict_json(text, kLoadReportLimits);
  RunState state;
  read_whole(object, "epoch", state.epoch);
  read_whole(object, "step", state.step);
  read_whole(object, "steps", state.steps);
  read_whole(object, "best_epoch", state.best_epoch);
  read_whole(object, "best_step", state.best_step);
  state.best = accuracies_from(object.at("best"));
  for (const json& accuracies : object.at("history")) state.history.push_back(accuracies_from(accuracies));
  state.epoch_sums = sums_from(object.at("epoch_sums"));
  state.row_sums = sums_from(object.at("row_sums"));
  object.at("machine").get_to(state.machine);
  state.precision = object.value("precision", state.precision);
  object.at("data").get_to(state.data);
  if (const json report = object.value("init_from", json()); !report.is_null()) state.init_from = load_report_from_json(report);
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

// What is written of a store: the name in front of the tensors' names, the section, and whether its slots are states.
struct Kept {
  const char* name;
  Section section;
  bool states;
};
constexpr Kept kOfStore[] = {{"values", Section::values, false},
                             {"momentum", Section::momentum, false},
                             {"second_moments", Section::second_moments, false},
                             {"states", Section::states, true}};
constexpr Kept kOfAverage[] = {{"average", Section::values, false}, {"average_states", Section::states, true}};

std::span<const Slot> slots_of(const engine::ParameterLayout& layout, const Kept& kept) {
  return kept.states ? layout.states() : layout.parameters();
}
}  // namespace

void Snapshot::take(RunState state, const ParameterStore& store, const ParameterStore* average) {
  state_ = std::move(state);
  layout_ = store.shared_layout();
  master_ = store.master();
  std::size_t next = 0;
  const auto copy = [&](const Kept& kept, const ParameterStore& from) {
    const std::int64_t elements = kept.states ? layout_->state_elements() : layout_->parameter_elements();
    if (!from.has(kept.section) || elements == 0) return;
    if (next == copies_.size()) copies_.emplace_back();
    Copy& to = copies_[next++];
    to.name = kept.name;
    to.states = kept.states;
    to.bytes.resize(static_cast<std::size_t>(elements) * bytes_of(master_));
    std::memcpy(to.bytes.data(), from.data(kept.section), to.bytes.size());
  };
  for (const Kept& kept : kOfStore) copy(kept, store);
  if (average)
    for (const Kept& kept : kOfAverage) copy(kept, *average);
  copies_.resize(next);
}

void Snapshot::write(const std::filesystem::path& path) const {
  std::vector<TensorView> tensors;
  const std::size_t width = bytes_of(master_);
  for (const Copy& copy : copies_)
    for (const Slot& slot : copy.states ? layout_->states() : layout_->parameters())
      tensors.push_back({fmt::format("{}/{}", copy.name, slot.name), file_type(master_), shape_of(slot),
                         std::span(copy.bytes).subspan(static_cast<std::size_t>(slot.offset) * width,
                                                       static_cast<std::size_t>(slot.count) * width)});
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
    throw FileFormatError(fmt::format("{}: its state cannot be understood: {}", path.string(), data::one_line(error.what())));
  } catch (const std::invalid_argument& error) {
    throw FileFormatError(fmt::format("{}: its state {}", path.string(), error.what()));
  }
  if (!sensible(checkpoint.state)) throw FileFormatError(fmt::format("{}: its state makes no sense", path.string()));
  for (const auto& [name, member] : kTexts) {
    const auto bytes = checkpoint.file.require(name, FileType::u8).values<char>();
    (checkpoint.state.*member).assign(bytes.begin(), bytes.end());
  }
  return checkpoint;
}

namespace {
void load(const Checkpoint& checkpoint, std::span<const Kept> wanted, ParameterStore& store) {
  const std::size_t width = bytes_of(store.master());
  for (const Kept& kept : wanted) {
    if (!store.has(kept.section)) continue;
    for (const Slot& slot : slots_of(store.layout(), kept)) {
      const TensorRecord& tensor =
          checkpoint.file.require(fmt::format("{}/{}", kept.name, slot.name), file_type(store.master()), shape_of(slot));
      if (!tensor.bytes.empty())
        std::memcpy(store.data(kept.section) + static_cast<std::size_t>(slot.offset) * width, tensor.bytes.data(), tensor.bytes.size());
    }
  }
  store.stage();
  store.touched();
}
}  // namespace

void restore(const Checkpoint& checkpoint, ParameterStore& store) { load(checkpoint, kOfStore, store); }

void restore_average(const Checkpoint& checkpoint, ParameterStore& average) { load(checkpoint, kOfAverage, average); }
}  // namespace autodidact::train
