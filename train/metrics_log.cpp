#include "train/metrics_log.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <span>
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
      R"("exits":[{},{},{},{}],"ensemble":{},"images_per_s":{}}})",
      row.step, number(row.epoch), number(row.lr), number(row.loss), number(row.loss_ce),
      number(row.loss_soft), number(row.loss_feature), number(exits[0]), number(exits[1]),
      number(exits[2]), number(exits[3]), number(row.accuracies.ensemble),
      number(row.images_per_s));
}

MetricsLog::MetricsLog(std::filesystem::path path) : path_(std::move(path)) {
  file_ = FileDescriptor(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
  if (!file_.valid()) throw_resource_error("open", path_, errno);
}

void MetricsLog::append(const MetricsRow& row) {
  const std::string line = to_json_line(row) + "\n";
  const off_t before = ::lseek(file_.get(), 0, SEEK_END);
  if (write_all(file_, std::as_bytes(std::span(line)))) return;
  const int error = errno;
  // Half a line would make the whole log unreadable to strict readers.
  if (before >= 0) static_cast<void>(::ftruncate(file_.get(), before) == 0);
  throw_resource_error("append to", path_, error);
}

}  // namespace autodidact::train
