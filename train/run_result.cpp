#include "train/run_result.hpp"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "train/strict_json.hpp"

namespace autodidact::train {
using Json = nlohmann::ordered_json;

namespace {
using nlohmann::json;

ExitAccuracies accuracies_from(const json& object) {
  ExitAccuracies accuracies;
  const auto number = [](const json& value) {
    if (value.is_null()) return kMissing;
    if (!value.is_number()) throw std::invalid_argument("has an accuracy that is not a number");
    return value.get<double>();
  };
  if (!object.is_object() || !object.contains("exits") || !object["exits"].is_array() || object["exits"].size() != kExits)
    throw std::invalid_argument(fmt::format("has no accuracies of {} exits", kExits));
  for (std::size_t k = 0; k < kExits; ++k) accuracies.exits[k] = number(object["exits"][k]);
  if (object.contains("ensemble")) accuracies.ensemble = number(object["ensemble"]);
  return accuracies;
}

template <std::integral T>
T required(const json& object, const char* key) {
  if (!object.contains(key) || !object[key].is_number_integer()) throw std::invalid_argument(fmt::format("has no {}", key));
  return whole_number<T>(object[key]);
}
}  // namespace

Json to_json(const ExitAccuracies& accuracies) {
  Json json;
  const auto number = [](double value) { return std::isfinite(value) ? Json(value) : Json(); };
  for (const double accuracy : accuracies.exits) json["exits"].push_back(number(accuracy));
  json["ensemble"] = number(accuracies.ensemble);
  return json;
}

Json to_json(const RunResult& result) {
  Json json{{"steps", result.steps}, {"best_epoch", result.best_epoch}, {"best_on", result.best_on}, {"test", to_json(result.test)},
            {"best", to_json(result.best)}};
  if (result.init_from) json["init_from"] = to_json(*result.init_from);
  return json;
}

RunResult result_from_json(const std::string& text) {
  const json object = parse_strict_json(text, kLoadReportLimits);
  if (!object.is_object()) throw std::invalid_argument("is not a JSON object");
  RunResult result;
  result.steps = required<std::int64_t>(object, "steps");
  result.best_epoch = required<int>(object, "best_epoch");
  if (object.contains("best_on") && object["best_on"].is_string()) object["best_on"].get_to(result.best_on);
  for (const auto& [key, accuracies] : {std::pair{"test", &result.test}, {"best", &result.best}}) {
    if (!object.contains(key)) throw std::invalid_argument(fmt::format("has no {}", key));
    *accuracies = accuracies_from(object[key]);
  }
  if (object.contains("init_from")) result.init_from = load_report_from_json(object["init_from"]);
  return result;
}
}  // namespace autodidact::train
