#include "train/confusion.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "train/atomic_file.hpp"
#include "train/progress.hpp"
#include "train/strict_json.hpp"

namespace autodidact::train {
namespace {
using Json = nlohmann::ordered_json;
using nlohmann::json;

// A line of the file for each class; nlohmann would take one for each number.
std::string matrix_text(const std::vector<std::int64_t>& counts, std::size_t classes) {
  if (counts.empty()) return "null";
  std::string text = "[";
  for (std::size_t i = 0; i < counts.size(); ++i) text += fmt::format("{}{}", i == 0 ? "\n  [" : i % classes == 0 ? "],\n  [" : ",", counts[i]);
  return text + "]]";
}

std::vector<std::int64_t> matrix_from(const json& rows, std::size_t classes) {
  std::vector<std::int64_t> counts;
  if (rows.is_null()) return counts;
  const auto refuse = [&] { throw std::invalid_argument(fmt::format("has a matrix that is not {0}×{0} numbers of images", classes)); };
  if (!rows.is_array() || rows.size() != classes) refuse();
  constexpr std::int64_t kMost = std::int64_t{1} << 40;  // so that no sum overflows
  for (const json& row : rows) {
    if (!row.is_array() || row.size() != classes) refuse();
    for (const json& count : row) {
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
  const json object = parse_strict_json(text);
  if (!object.is_object()) throw std::invalid_argument("is not a JSON object");
  const auto texts = [](const json& list) {
    return list.is_array() && std::all_of(list.begin(), list.end(), [](const json& name) { return name.is_string(); });
  };
  Confusion confusion;
  if (!object.contains("classes") || !object["classes"].is_number_unsigned() || object["classes"].get<std::size_t>() < 1 ||
      object["classes"].get<std::size_t>() > kMostConfusedClasses)
    throw std::invalid_argument(fmt::format("has no number of classes from 1 to {}", kMostConfusedClasses));
  object["classes"].get_to(confusion.classes);
  if (object.contains("class_names") && texts(object["class_names"])) object["class_names"].get_to(confusion.class_names);
  if (object.contains("weights") && object["weights"].is_string()) object["weights"].get_to(confusion.weights);
  if (object.contains("data") && object["data"].is_string()) object["data"].get_to(confusion.data);
  if (!object.contains("exits") || !object["exits"].is_array() || object["exits"].size() != kExits || object["exits"].back().is_null())
    throw std::invalid_argument(fmt::format("has no list of {} exits, the last of which is there", kExits));
  for (std::size_t k = 0; k < kExits; ++k) confusion.counts[k] = matrix_from(object["exits"][k], confusion.classes);
  if (object.contains("ensemble")) confusion.counts[kExits] = matrix_from(object["ensemble"], confusion.classes);
  return confusion;
}

void write_confusion(const std::filesystem::path& path, const Confusion& confusion) {
  if (confusion.classes > 0) write_file_atomically(path, to_json(confusion));
  else say(fmt::format("{} is not written: which class was taken for which is counted for at most {} classes\n", path.string(), kMostConfusedClasses));
}
}  // namespace autodidact::train
