#include "train/metrics_log.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <span>
#include <stdexcept>
#include <utility>

namespace autodidact::train {
namespace {

/// fmt writes the shortest digits that read back to the same double, and its exponents are JSON's.
std::string number(double value) {
  return std::isfinite(value) ? fmt::format("{}", value) : "null";
}

}  // namespace

std::string to_json_line(const MetricsRow& row) {
  const auto& exits = row.accuracies.exits;
  return fmt::format(
      R"({{"step":{},"epoch":{},"lr":{},"loss":{},"loss_ce":{},"loss_soft":{},"loss_feature":{},)"
      R"("gradient_norm":{},"clipped":{},"exits":[{},{},{},{}],"ensemble":{},"images_per_s":{}}})",
      row.step, number(row.epoch), number(row.lr), number(row.loss), number(row.loss_ce),
      number(row.loss_soft), number(row.loss_feature), number(row.gradient_norm), number(row.clipped), number(exits[0]), number(exits[1]),
      number(exits[2]), number(exits[3]), number(row.accuracies.ensemble),
      number(row.images_per_s));
}

MetricsRow from_json_line(std::string_view line) {
  const nlohmann::json json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
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
  if (!json.contains("exits")) return row;
  const nlohmann::json& exits = json.at("exits");
  if (!exits.is_array() || exits.size() != kExits) throw std::invalid_argument(fmt::format("has exits that are not {} numbers", kExits));
  for (std::size_t k = 0; k < kExits; ++k) row.accuracies.exits[k] = number(exits[k], "exits");
  return row;
}

std::string csv_header() {
  return "step,epoch,lr,loss,loss_ce,loss_soft,loss_feature,gradient_norm,clipped,exit1,exit2,exit3,exit4,ensemble,images_per_s";
}

std::string to_csv_line(const MetricsRow& row) {
  const auto& exits = row.accuracies.exits;
  std::string line = fmt::format("{}", row.step);
  for (const double value : {row.epoch, row.lr, row.loss, row.loss_ce, row.loss_soft, row.loss_feature, row.gradient_norm, row.clipped, exits[0], exits[1],
                             exits[2], exits[3], row.accuracies.ensemble, row.images_per_s})
    line += std::isfinite(value) ? fmt::format(",{}", value) : ",";
  return line;
}

MetricsLog::MetricsLog(std::filesystem::path path) {
  const auto open_file = [](File& file, std::filesystem::path file_path, int flags) {
    file.path = std::move(file_path);
    file.descriptor = FileDescriptor(::open(file.path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | flags, 0666));
    if (!file.descriptor.valid()) throw_resource_error("open", file.path, errno);
  };
  open_file(json_, path, 0);
  open_file(csv_, path.replace_extension(".csv"), O_TRUNC);
  std::string text = csv_header();
  std::ifstream logged(json_.path);
  for (std::string line; std::getline(logged, line);) {
    try {
      text += fmt::format("\n{}", to_csv_line(from_json_line(line)));
    } catch (const std::invalid_argument&) {
      // a line of another program's: the log keeps it, a table has no place for it
    }
  }
  csv_.append(text);
}

void MetricsLog::append(const MetricsRow& row) {
  json_.append(to_json_line(row));
  csv_.append(to_csv_line(row));
}

void MetricsLog::File::append(std::string line) const {
  line += '\n';
  const off_t before = ::lseek(descriptor.get(), 0, SEEK_END);
  if (write_all(descriptor, std::as_bytes(std::span(line)))) return;
  const int error = errno;
  // Half a line would make the whole log unreadable to strict readers.
  if (before >= 0) static_cast<void>(::ftruncate(descriptor.get(), before) == 0);
  throw_resource_error("append to", path, error);
}

}  // namespace autodidact::train
