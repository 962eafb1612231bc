#include "train/early_exit_record.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace autodidact::train {
namespace {
using Json = nlohmann::json;

// Missing where the key is missing or null.
double number(const Json& json, const char* key) {
  if (!json.is_object() || !json.contains(key) || json[key].is_null()) return kMissing;
  if (!json[key].is_number()) throw std::invalid_argument(fmt::format("has a {} that is not a number", key));
  return json[key].get<double>();
}

std::array<double, kExits> four(const Json& json, const char* key) {
  std::array<double, kExits> numbers{kMissing, kMissing, kMissing, kMissing};
  if (!json.is_object() || !json.contains(key)) return numbers;
  const Json& list = json[key];
  if (!list.is_array() || list.size() != kExits) throw std::invalid_argument(fmt::format("has {} that are not {} numbers", key, kExits));
  for (std::size_t k = 0; k < kExits; ++k) {
    if (!list[k].is_number() && !list[k].is_null()) throw std::invalid_argument(fmt::format("has {} that are not {} numbers", key, kExits));
    if (list[k].is_number()) numbers[k] = list[k].get<double>();
  }
  return numbers;
}

EarlyExitRecord::Point point_from(const Json& json) {
  EarlyExitRecord::Point point{number(json, "relative_time"), number(json, "accuracy"), {}};
  if (!json.is_object() || !json.contains("exits") || !json["exits"].is_array()) return point;
  for (const Json& exit : json["exits"])
    if (const double k = number(exit, "exit"); k >= 1 && k <= static_cast<double>(kExits)) point.exits.push_back(static_cast<int>(k));
  return point;
}
}  // namespace

EarlyExitRecord early_exit_from_json(const std::string& text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) throw std::invalid_argument("is not a JSON object");
  EarlyExitRecord record;
  if (json.contains("frontier") && json["frontier"].is_array())
    for (const Json& point : json["frontier"]) record.frontier.push_back(point_from(point));
  std::stable_sort(record.frontier.begin(), record.frontier.end(),
                   [](const auto& a, const auto& b) { return a.relative_time < b.relative_time; });
  if (!json.contains("validation")) return record;
  const Json& validation = json["validation"];
  record.share_per_exit = four(validation, "share_per_exit");
  record.trunk_accuracy = four(validation, "exits")[kExits - 1];
  record.chosen = {number(validation, "ms_per_image") / number(validation, "trunk_ms_per_image"), number(validation, "accuracy"), {}};
  for (std::size_t k = 0; k < kExits; ++k)
    if (record.share_per_exit[k] > 0) record.chosen.exits.push_back(static_cast<int>(k) + 1);
  return record;
}
}  // namespace autodidact::train
