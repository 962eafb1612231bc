#include "train/metrics_log.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "train/tensorboard.hpp"

#include "train/strict_json.hpp"

namespace autodidact::train {
namespace {

/// fmt writes the shortest digits that read back to the same double, and its exponents are JSON's.
std::string number(double value) {
  return std::isfinite(value) ? fmt::format("{}", value) : "null";
}

std::string list(const std::array<double, kExits>& values) {
  return fmt::format("[{},{},{},{}]", number(values[0]), number(values[1]), number(values[2]), number(values[3]));
}

constexpr std::array kKinds{RowKind::steps, RowKind::epoch, RowKind::cut, RowKind::stopped};

struct LossList {
  const char* name;
  ExitLosses::List ExitLosses::*member;
  std::size_t exits;  // from the first on, that can have one
};
constexpr LossList kLossLists[]{{"loss_ce", &ExitLosses::ce, kExits},
                                {"loss_soft", &ExitLosses::soft, kExits - 1},
                                {"loss_feature", &ExitLosses::feature, kExits - 1}};

}  // namespace

std::string_view name_of(RowKind kind) {
  static constexpr std::array<std::string_view, kKinds.size()> kNames{"steps", "epoch", "cut", "stopped"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string to_json_line(const MetricsRow& row) {
  std::string line =
      fmt::format(R"({{"step":{},"epoch":{},"kind":"{}","lr":{},"loss":{},"loss_ce":{},"loss_soft":{},"loss_feature":{})", row.step,
                  number(row.epoch), name_of(row.kind), number(row.lr), number(row.loss), number(row.loss_ce), number(row.loss_soft),
                  number(row.loss_feature));
  for (const LossList& losses : kLossLists) line += fmt::format(R"(,"{}_exits":{})", losses.name, list(row.exit_losses.*losses.member));
  return line + fmt::format(R"(,"gradient_norm":{},"clipped":{},"exits":{},"ensemble":{},"images_per_s":{},"time":{}}})", number(row.gradient_norm),
                            number(row.clipped), list(row.accuracies.exits), number(row.accuracies.ensemble), number(row.images_per_s),
                            number(row.time));
}

MetricsRow from_json_line(std::string_view line) {
  const nlohmann::json json = parse_strict_json(line);
  if (!json.is_object()) throw std::invalid_argument("is not a JSON object");
  const auto number = [](const nlohmann::json& value, const char* key) {
    if (value.is_null()) return kMissing;
    if (!value.is_number()) throw std::invalid_argument(fmt::format("has a {} that is not a number", key));
    return value.get<double>();
  };
  const auto optional = [&](const char* key) { return json.contains(key) ? number(json.at(key), key) : kMissing; };
  if (!json.contains("step") || !json.at("step").is_number_integer() || json.at("step").get<std::int64_t>() < 0)
    throw std::invalid_argument("has no number of steps");
  MetricsRow row{.step = json.at("step").get<std::int64_t>(), .epoch = optional("epoch"), .lr = optional("lr"),
                 .loss = optional("loss"), .loss_ce = optional("loss_ce"), .loss_soft = optional("loss_soft"),
                 .loss_feature = optional("loss_feature"), .gradient_norm = optional("gradient_norm"), .clipped = optional("clipped")};
  if (!std::isfinite(row.epoch) || row.epoch < 0) throw std::invalid_argument("has no epoch");
  row.accuracies.ensemble = optional("ensemble");
  row.images_per_s = optional("images_per_s");
  row.time = optional("time");
  const auto read_list = [&](const std::string& key, std::array<double, kExits>& values) {
    if (!json.contains(key)) return;
    const nlohmann::json& numbers = json.at(key);
    if (!numbers.is_array() || numbers.size() != kExits) throw std::invalid_argument(fmt::format("has {} that are not {} numbers", key, kExits));
    for (std::size_t k = 0; k < kExits; ++k) values[k] = number(numbers[k], key.c_str());
  };
  read_list("exits", row.accuracies.exits);
  for (const LossList& losses : kLossLists) read_list(fmt::format("{}_exits", losses.name), row.exit_losses.*losses.member);
  if (!json.contains("kind")) {
    if (row.epoch > 0 && row.epoch == std::floor(row.epoch)) row.kind = RowKind::epoch;
    return row;
  }
  const auto kind = std::find_if(kKinds.begin(), kKinds.end(), [&](RowKind each) { return json.at("kind") == name_of(each); });
  if (kind == kKinds.end()) throw std::invalid_argument("has a kind that is none");
  row.kind = *kind;
  return row;
}

std::string csv_header() {
  std::string line = "step,epoch,kind,lr,loss,loss_ce,loss_soft,loss_feature";
  for (const LossList& losses : kLossLists)
    for (std::size_t k = 1; k <= losses.exits; ++k) line += fmt::format(",{}_exit{}", losses.name, k);
  return line + ",gradient_norm,clipped,exit1,exit2,exit3,exit4,ensemble,images_per_s,time";
}

std::string to_csv_line(const MetricsRow& row) {
  const auto& exits = row.accuracies.exits;
  std::string line = fmt::format("{},{},{}", row.step, row.epoch, name_of(row.kind));
  const auto add = [&](double value) { line += std::isfinite(value) ? fmt::format(",{}", value) : ","; };
  for (const double value : {row.lr, row.loss, row.loss_ce, row.loss_soft, row.loss_feature}) add(value);
  for (const LossList& losses : kLossLists)
    for (std::size_t k = 0; k < losses.exits; ++k) add((row.exit_losses.*losses.member)[k]);
  for (const double value : {row.gradient_norm, row.clipped, exits[0], exits[1], exits[2], exits[3], row.accuracies.ensemble, row.images_per_s, row.time})
    add(value);
  return line;
}

MetricsLog::MetricsLog(std::filesystem::path path)
    : json_(path), csv_(std::filesystem::path(path).replace_extension(".csv"), O_TRUNC) {
  std::vector<MetricsRow> rows;
  std::string table = csv_header() + "\n";
  std::ifstream logged(path);
  for (std::string line; std::getline(logged, line);) {
    try {
      rows.push_back(from_json_line(line));
    } catch (const std::invalid_argument&) {
      continue;  // a line of another program's: the log keeps it, the others have no place for it
    }
    table += to_csv_line(rows.back()) + "\n";
  }
  csv_.append(table);
  events_ = std::make_unique<EventLog>(path.parent_path(), rows);
}

MetricsLog::~MetricsLog() = default;

void MetricsLog::append(const MetricsRow& row) {
  json_.append(to_json_line(row) + "\n");
  csv_.append(to_csv_line(row) + "\n");
  events_->append(row);
}

}  // namespace autodidact::train
