#include "train/exit_policy_file.hpp"

#include <fmt/format.h>

#define XXH_INLINE_ALL  // the hash is a header; there is nothing to link
#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <system_error>

#include "data/one_line.hpp"
#include "train/atomic_file.hpp"
#include "train/errors.hpp"
#include "train/strict_json.hpp"

namespace autodidact::train {
namespace fs = std::filesystem;
namespace {
using Json = nlohmann::ordered_json;  // what is written; what is read has no order
using nlohmann::json;

constexpr const char* kFormat = "autodidact exit policy";
constexpr int kVersion = 1;
constexpr std::uintmax_t kMaxBytes = std::uintmax_t{16} << 20;  // a calibration writes some hundred kilobytes

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(); }

Json to_json(const ExitPolicy& policy) {
  Json exits = Json::array();
  for (const auto& [exit, threshold] : policy.exits) exits.push_back({{"exit", exit}, {"threshold", threshold}});
  return {{"measure", name_of(policy.measure)}, {"exits", exits}, {"otherwise", name_of(policy.otherwise)}};
}

Json to_json(const RungCosts& rung) {
  return {{"images", rung.images}, {"trunk_ms", rung.trunk}, {"hand_over_ms", rung.hand_over}, {"stage_ms", rung.stage}, {"head_ms", rung.head}};
}

Json to_json(const PolicyValidation& v) {
  Json exits = Json::array();
  for (const double accuracy : v.full.exits) exits.push_back(number(accuracy));
  return {{"images", v.images}, {"seed", v.seed}, {"exits", exits}, {"ensemble", number(v.full.ensemble)},
          {"accuracy", v.accuracy}, {"share_per_exit", v.share_per_exit}, {"ms_per_image", v.ms_per_image},
          {"trunk_ms_per_image", v.trunk_ms_per_image}};
}

// Of a JSON value that must be a number, and of a key that must be there; nlohmann's own errors name neither.
template <class T>
T required(const json& object, const char* key) {
  if (!object.is_object() || !object.contains(key)) throw std::invalid_argument(fmt::format("it has no {}", key));
  const json& value = object.at(key);
  const bool fits = std::is_same_v<T, double>    ? value.is_number()
                    : std::is_integral_v<T>      ? value.is_number_integer()
                    : std::is_same_v<T, std::string> ? value.is_string()
                                                 : value.is_array();
  if (!fits) throw std::invalid_argument(fmt::format("its {} cannot be {}", key, value.dump(-1, ' ', false, json::error_handler_t::replace).substr(0, 60)));
  return value.get<T>();
}

std::array<double, model::kExits> four(const json& object, const char* key) {
  const auto list = required<std::vector<json>>(object, key);
  if (list.size() != model::kExits) throw std::invalid_argument(fmt::format("its {} must hold {} numbers, got {}", key, model::kExits, list.size()));
  std::array<double, model::kExits> numbers{};
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (!list[i].is_number() && !list[i].is_null()) throw std::invalid_argument(fmt::format("its {} must hold numbers", key));
    numbers[i] = list[i].is_null() ? kMissing : list[i].get<double>();
  }
  return numbers;
}

ExitPolicy read_decision(const json& object) {
  ExitPolicy policy;
  policy.measure = measure_by_name(required<std::string>(object, "measure"));
  policy.otherwise = otherwise_by_name(required<std::string>(object, "otherwise"));
  for (const json& exit : required<std::vector<json>>(object, "exits"))
    policy.exits.push_back({static_cast<int>(std::clamp<std::int64_t>(required<std::int64_t>(exit, "exit"), 0, model::kExits + 1)),
                            required<double>(exit, "threshold")});
  check(policy);
  return policy;
}

RungCosts read_rung(const json& object) {
  return {required<std::int64_t>(object, "images"), required<double>(object, "trunk_ms"), four(object, "hand_over_ms"), four(object, "stage_ms"),
          four(object, "head_ms")};
}

PolicyValidation read_validation(const json& object) {
  PolicyValidation v;
  v.images = required<std::int64_t>(object, "images");
  v.seed = required<std::uint64_t>(object, "seed");
  v.full.exits = four(object, "exits");
  v.full.ensemble = object.contains("ensemble") && object["ensemble"].is_number() ? object["ensemble"].get<double>() : kMissing;
  v.accuracy = required<double>(object, "accuracy");
  v.share_per_exit = four(object, "share_per_exit");
  v.ms_per_image = required<double>(object, "ms_per_image");
  v.trunk_ms_per_image = required<double>(object, "trunk_ms_per_image");
  return v;
}

FrontierPoint read_point(const json& object) {
  return {required<double>(object, "relative_time"), required<double>(object, "accuracy"), read_decision(object)};
}

PolicyFile from_json(const json& object) {
  if (required<std::string>(object, "format") != kFormat) throw std::invalid_argument(fmt::format("its format is not \"{}\"", kFormat));
  if (const auto version = required<std::int64_t>(object, "version"); version != kVersion)
    throw std::invalid_argument(fmt::format("it has version {}, this program reads {}", version, kVersion));
  PolicyFile file;
  file.policy = read_decision(object);
  if (object.contains("batch")) file.batch = required<std::int64_t>(object, "batch");
  if (file.batch < 1 || file.batch > 1000000) throw std::invalid_argument(fmt::format("its batch must be 1 to 1000000, got {}", file.batch));
  if (object.contains("network")) {
    if (!object["network"].is_object()) throw std::invalid_argument("its network must be an object");
    for (const auto& [key, value] : object["network"].items()) file.network[key] = required<std::string>(object["network"], key.c_str());
  }
  if (object.contains("weights")) file.weights = required<std::string>(object, "weights");
  if (object.contains("machine")) file.machine = required<std::string>(object, "machine");
  if (object.contains("times")) {
    std::vector<RungCosts> rungs;
    for (const json& rung : required<std::vector<json>>(object, "times")) rungs.push_back(read_rung(rung));
    file.times.emplace(std::move(rungs));
  }
  if (object.contains("validation")) file.validation = read_validation(object["validation"]);
  if (object.contains("frontier"))
    for (const json& point : required<std::vector<json>>(object, "frontier")) file.frontier.push_back(read_point(point));
  return file;
}

json parse(const std::string& text) {
  constexpr JsonLimits kLimits{.nesting = 5};  // file { frontier [ point { exits [ exit {
  try {
    return parse_strict_json(text, kLimits);
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument(fmt::format("it {}", error.what()));
  }
}

std::string read_text(const fs::path& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) throw FileFormatError(fmt::format("{}: no such file", path.string()));
  if (const auto bytes = fs::file_size(path, error); error || bytes > kMaxBytes)
    throw FileFormatError(fmt::format("{} has more than {} MB: it is no policy", path.string(), kMaxBytes >> 20));
  std::ifstream stream(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (!stream) throw FileFormatError(fmt::format("{} cannot be read", path.string()));
  return text;
}

// One line a key, and one an element of the long lists.
std::string readable(const Json& file) {
  const auto dump = [](const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); };
  std::string text;
  for (const auto& [key, value] : file.items()) {
    text += fmt::format("{}\n {}: ", text.empty() ? "{" : ",", dump(key));
    if (!value.is_array() || value.empty()) {
      text += dump(value);
      continue;
    }
    for (std::size_t i = 0; i < value.size(); ++i) text += fmt::format("{}\n  {}", i == 0 ? "[" : ",", dump(value[i]));
    text += "\n ]";
  }
  return text + "\n}\n";
}
}  // namespace

Metadata policy_network(const ModelInfo& info) {
  Metadata network = to_metadata(info);
  for (const char* other : {"format", "class_names", "recipe", "adaptation_exits", "mean", "std", "resize", "validation_seed"}) network.erase(other);
  return network;
}

std::string weights_hash(const engine::ParameterStore& store) {
  XXH64_hash_t hash = 0;
  const auto add = [&](engine::Section section, std::span<const engine::Slot> slots) {
    for (const engine::Slot& slot : slots) {
      const std::vector<double> numbers = store.get(section, slot);
      hash = XXH64(slot.name.data(), slot.name.size(), hash);
      hash = XXH64(numbers.data(), numbers.size() * sizeof(double), hash);
    }
  };
  add(engine::Section::values, store.layout().parameters());
  add(engine::Section::states, store.layout().states());
  return fmt::format("{:016x}", hash);
}

std::string policy_text(const PolicyFile& file) {
  Json json{{"format", kFormat}, {"version", kVersion}};
  json.update(to_json(file.policy));
  json["batch"] = file.batch;
  if (!file.network.empty()) json["network"] = file.network;
  if (!file.weights.empty()) json["weights"] = file.weights;
  if (!file.machine.empty()) json["machine"] = file.machine;
  if (file.validation) json["validation"] = to_json(*file.validation);
  if (!file.frontier.empty()) json["frontier"] = Json::array();
  for (const FrontierPoint& point : file.frontier) {
    Json entry{{"relative_time", point.relative_time}, {"accuracy", point.accuracy}};
    entry.update(to_json(point.policy));
    json["frontier"].push_back(std::move(entry));
  }
  if (file.times) {
    json["times"] = Json::array();
    for (const RungCosts& rung : file.times->rungs()) json["times"].push_back(to_json(rung));
  }
  return readable(json);
}

void write_policy(const fs::path& path, const PolicyFile& file) { write_file_atomically(path, policy_text(file)); }

PolicyFile policy_from_text(const std::string& text) {
  try {
    return from_json(parse(text));
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument(data::one_line(error.what(), 200));  // it may quote the file
  }
}

PolicyFile read_policy(const fs::path& path) {
  const std::string text = read_text(path);
  try {
    return policy_from_text(text);
  } catch (const std::invalid_argument& error) {
    throw FileFormatError(fmt::format("{} is no policy: {}", path.string(), error.what()));
  }
}

void require_network(const fs::path& path, const PolicyFile& file, const ModelInfo& info) {
  if (!file.policy.early_exits().empty() && !model::recipe_by_name(info.recipe).branches)
    throw FileFormatError(fmt::format("{} is for another network: it keeps exit {}, here there are no branches", path.string(),
                                      file.policy.early_exits().front()));
  const Metadata here = policy_network(info);
  for (const auto& [key, value] : file.network) {
    const auto found = here.find(key);
    if (found == here.end() || found->second != value)
      throw FileFormatError(fmt::format("{} is for another network: its {} is {}, here it is {}", path.string(), data::one_line(key, 200), data::one_line(value, 200),
                                        found == here.end() ? "unknown" : found->second));
  }
}
}  // namespace autodidact::train
