#include "train/confusion.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "train/atomic_file.hpp"
#include "train/progress.hpp"

namespace autodidact::train {
namespace {
using Json = nlohmann::ordered_json;

// A line of the file for each class; nlohmann would take one for each number.
std::string matrix_text(const std::vector<std::int64_t>& counts, std::size_t classes) {
  if (counts.empty()) return "null";
  std::string text = "[";
  for (std::size_t i = 0; i < counts.size(); ++i) text += fmt::format("{}{}", i == 0 ? "\n  [" : i % classes == 0 ? "],\n  [" : ",", counts[i]);
  return text + "]]";
}

std::vector<std::int64_t> matrix_from(const Json& json, std::size_t classes) {
  std::vector<std::int64_t> counts;
  if (json.is_null()) return counts;
  const auto refuse = [&] { throw std::invalid_argument(fmt::format("has a matrix that is not {0}×{0} numbers of images", classes)); };
  if (!json.is_array() || json.size() != classes) refuse();
  constexpr std::int64_t kMost = std::int64_t{1} << 40;  // so that no sum overflows
  for (const Json& row : json) {
    if (!row.is_array() || row.size() != classes) refuse();
    for (const Json& count : row) {
      if (!count.is_number_unsigned() || count.get<std::uint64_t>() > kMost) refuse();
      counts.push_back(count.get<std::int64_t>());
    }
  }
  return counts;
}
}  // namespace

void Confusion::add(std::size_t column, std::size_t of_classes, std::size_t truth, std::size_t answer) {
  if (of_classes > kMostConfusedClasses) return;
  classes = of_classes;
  counts[column].resize(classes * classes);
  ++counts[column][truth * classes + answer];
}

// Every exit has answered every image; the deepest is always there.
std::int64_t Confusion::images_of(std::size_t truth) const {
  std::int64_t images = 0;
  for (std::size_t answer = 0; answer < classes; ++answer) images += at(kExits - 1, truth, answer);
  return images;
}

double Confusion::share(std::size_t column, std::size_t truth, std::size_t answer) const {
  const std::int64_t images = images_of(truth);
  return images == 0 || counts[column].empty() ? kMissing : static_cast<double>(at(column, truth, answer)) / static_cast<double>(images);
}

std::string Confusion::name_of(std::size_t klass) const {
  return klass < class_names.size() ? class_names[klass] : fmt::format("{}", klass);
}

std::string to_json(const Confusion& confusion) {
  const auto quoted = [](const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); };
  std::string text = fmt::format("{{\"weights\":{},\n\"data\":{},\n\"classes\":{},\n\"class_names\":{},\n\"exits\":[", quoted(confusion.weights),
                                 quoted(confusion.data), confusion.classes, quoted(confusion.class_names));
  for (std::size_t k = 0; k < kExits; ++k) text += (k ? ",\n " : "") + matrix_text(confusion.counts[k], confusion.classes);
  return text + "],\n\"ensemble\":" + matrix_text(confusion.counts[kExits], confusion.classes) + "}\n";
}

Confusion confusion_from_json(const std::string& text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) throw std::invalid_argument("is not a JSON object");
  const auto texts = [](const Json& list) {
    return list.is_array() && std::all_of(list.begin(), list.end(), [](const Json& name) { return name.is_string(); });
  };
  Confusion confusion;
  if (!json.contains("classes") || !json["classes"].is_number_unsigned() || json["classes"].get<std::size_t>() < 1 ||
      json["classes"].get<std::size_t>() > kMostConfusedClasses)
    throw std::invalid_argument(fmt::format("has no number of classes from 1 to {}", kMostConfusedClasses));
  json["classes"].get_to(confusion.classes);
  if (json.contains("class_names") && texts(json["class_names"])) json["class_names"].get_to(confusion.class_names);
  if (json.contains("weights") && json["weights"].is_string()) json["weights"].get_to(confusion.weights);
  if (json.contains("data") && json["data"].is_string()) json["data"].get_to(confusion.data);
  if (!json.contains("exits") || !json["exits"].is_array() || json["exits"].size() != kExits || json["exits"].back().is_null())
    throw std::invalid_argument(fmt::format("has no list of {} exits, the last of which is there", kExits));
  for (std::size_t k = 0; k < kExits; ++k) confusion.counts[k] = matrix_from(json["exits"][k], confusion.classes);
  if (json.contains("ensemble")) confusion.counts[kExits] = matrix_from(json["ensemble"], confusion.classes);
  return confusion;
}

void write_confusion(const std::filesystem::path& path, const Confusion& confusion) {
  if (confusion.classes > 0) write_file_atomically(path, to_json(confusion));
  else say(fmt::format("{} is not written: which class was taken for which is counted for at most {} classes\n", path.string(), kMostConfusedClasses));
}
}  // namespace autodidact::train
