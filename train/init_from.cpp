#include "train/init_from.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <stdexcept>

#include "train/errors.hpp"
#include "data/one_line.hpp"

namespace autodidact::train {
namespace {

constexpr std::size_t kNamesShown = 6;

// Names that only the file has may be anything.
std::vector<std::string> quoted(const std::vector<std::string>& names) {
  std::vector<std::string> result(names.size());
  std::transform(names.begin(), names.end(), result.begin(), data::in_quotes);
  return result;
}

std::string names_text(const char* kind, const std::vector<std::string>& names) {
  if (names.empty()) return {};
  const std::size_t shown = std::min(names.size(), kNamesShown);
  const std::string more = names.size() > shown ? fmt::format(" … and {} more", names.size() - shown) : "";
  return fmt::format("  {}: {}{}\n", kind, fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "), more);
}
}  // namespace

LoadReport load_start(const SafetensorsFile& file, engine::ParameterStore& store) {
  LoadReport report = load_weights(file, store, true);
  if (report.matched.empty())
    throw FileFormatError(fmt::format("{}: none of its {} tensors fits the network by name and shape{}", file.path.string(),
                                      file.tensors.size(), report.mismatched.empty() ? "" : "; first " + report.mismatched.front()));
  return report;
}

std::string report_text(const std::filesystem::path& path, const LoadReport& report) {
  return fmt::format("{}: {} tensors matched; {} missing and {} of another shape start fresh; {} unexpected are not used\n",
                     path.string(), report.matched.size(), report.missing.size(), report.mismatched.size(), report.ignored.size()) +
         names_text("missing", report.missing) + names_text("of another shape", report.mismatched) +
         names_text("unexpected", quoted(report.ignored));
}

nlohmann::ordered_json to_json(const LoadReport& report) {
  const auto text = [](const std::vector<std::string>& names) {
    auto list = nlohmann::ordered_json::array();
    for (const std::string& name : names) list.push_back(name);
    return list;
  };
  return {{"matched", text(report.matched)}, {"missing", text(report.missing)}, {"unexpected", text(report.ignored)},
          {"mismatched", text(report.mismatched)}};
}

LoadReport load_report_from_json(const nlohmann::json& json) {
  LoadReport report;
  for (const auto& [key, names] : {std::pair{"matched", &report.matched}, {"missing", &report.missing}, {"unexpected", &report.ignored},
                                   {"mismatched", &report.mismatched}}) {
    if (!json.is_object() || !json.contains(key) || !json[key].is_array())
      throw std::invalid_argument(fmt::format("has no list of the {} weights that it began from", key));
    for (const auto& name : json[key]) {
      if (!name.is_string()) throw std::invalid_argument("has a name of a weight that is no text");
      names->push_back(name.get<std::string>());
    }
  }
  return report;
}
}  // namespace autodidact::train
