#include "train/run_result.hpp"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

namespace autodidact::train {
using Json = nlohmann::ordered_json;

Json to_json(const ExitAccuracies& accuracies) {
  Json json;
  const auto number = [](double value) { return std::isfinite(value) ? Json(value) : Json(); };
  for (const double accuracy : accuracies.exits) json["exits"].push_back(number(accuracy));
  json["ensemble"] = number(accuracies.ensemble);
  return json;
}

ExitAccuracies accuracies_from_json(const Json& json) {
  ExitAccuracies accuracies;
  const auto number = [](const Json& value) {
    if (value.is_null()) return kMissing;
    if (!value.is_number()) throw std::invalid_argument("has an accuracy that is not a number");
    return value.get<double>();
  };
  if (!json.is_object() || !json.contains("exits") || !json["exits"].is_array() || json["exits"].size() != kExits)
    throw std::invalid_argument(fmt::format("has no accuracies of {} exits", kExits));
  for (std::size_t k = 0; k < kExits; ++k) accuracies.exits[k] = number(json["exits"][k]);
  if (json.contains("ensemble")) accuracies.ensemble = number(json["ensemble"]);
  return accuracies;
}

Json to_json(const RunResult& result) {
  Json json{{"steps", result.steps}, {"best_epoch", result.best_epoch}, {"best_on", result.best_on}, {"test", to_json(result.test)},
            {"best", to_json(result.best)}};
  if (result.init_from) json["init_from"] = to_json(*result.init_from);
  return json;
}

RunResult result_from_json(const std::string& text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) throw std::invalid_argument("is not a JSON object");
  const auto whole = [&](const char* key) {
    if (!json.contains(key) || !json[key].is_number_integer()) throw std::invalid_argument(fmt::format("has no {}", key));
    return json[key].get<std::int64_t>();
  };
  RunResult result;
  result.steps = whole("steps");
  result.best_epoch = static_cast<int>(whole("best_epoch"));
  if (json.contains("best_on") && json["best_on"].is_string()) json["best_on"].get_to(result.best_on);
  for (const auto& [key, accuracies] : {std::pair{"test", &result.test}, {"best", &result.best}}) {
    if (!json.contains(key)) throw std::invalid_argument(fmt::format("has no {}", key));
    *accuracies = accuracies_from_json(json[key]);
  }
  if (json.contains("init_from")) result.init_from = load_report_from_json(json["init_from"]);
  return result;
}
}  // namespace autodidact::train
