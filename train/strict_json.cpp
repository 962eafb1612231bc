#include "train/strict_json.hpp"

#include <fmt/format.h>

#include <string>
#include <unordered_set>
#include <vector>

#include "data/one_line.hpp"

namespace autodidact::train {
namespace {

using nlohmann::json;

/// Watches the JSON parser. It would keep the last of two equal keys, so that two readers could see two different files
/// in one; and it would store arrays of any length and depth before we could look at them.
class Guard {
 public:
  explicit Guard(JsonLimits limits) : limits_(limits) {}

  bool operator()(json::parse_event_t event, const json& parsed) {
    switch (event) {
      case json::parse_event_t::object_start:
        open({Kind::object, 0, {}});
        break;
      case json::parse_event_t::array_start:
        open({Kind::array, 0, {}});
        break;
      case json::parse_event_t::object_end:
      case json::parse_event_t::array_end:
        open_.pop_back();
        break;
      case json::parse_event_t::key:
        if (const auto& key = parsed.get_ref<const std::string&>(); !open_.back().keys.insert(key).second)
          throw std::invalid_argument(fmt::format("has the key {} twice", data::in_quotes(key)));
        break;
      case json::parse_event_t::value:
        if (!open_.empty() && open_.back().kind == Kind::array && ++open_.back().values > limits_.array)
          throw std::invalid_argument(fmt::format("has an array of more than {} numbers", limits_.array));
        break;
    }
    return true;
  }

 private:
  enum class Kind { object, array };
  struct Level {
    Kind kind;
    std::size_t values;
    std::unordered_set<std::string> keys;
  };
  void open(Level level) {
    if (open_.size() == limits_.nesting) throw std::invalid_argument(fmt::format("is nested deeper than {} levels", limits_.nesting));
    open_.push_back(std::move(level));
  }

  JsonLimits limits_;
  std::vector<Level> open_;
};

}  // namespace

json parse_strict_json(std::string_view text, JsonLimits limits) {
  Guard guard(limits);
  try {
    return json::parse(text, [&guard](int, json::parse_event_t event, const json& parsed) { return guard(event, parsed); });
  } catch (const json::parse_error& error) {
    throw std::invalid_argument(fmt::format("is not JSON at byte {}", error.byte));
  } catch (const json::out_of_range&) {  // 1e999
    throw std::invalid_argument("has a number that is too large");
  }
}

}  // namespace autodidact::train
