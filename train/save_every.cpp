#include "train/save_every.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <stdexcept>

namespace autodidact::train {

SaveEvery parse_save_every(const std::string& text) {
  if (text.empty()) return {};
  SaveEvery every;
  const char* const end = text.data() + text.size();
  const bool minutes = text.back() == 'm';
  const auto [stop, error] = minutes ? std::from_chars(text.data(), end - 1, every.minutes) : std::from_chars(text.data(), end, every.steps);
  const bool positive = minutes ? std::isfinite(every.minutes) && every.minutes > 0 : every.steps > 0;
  if (error != std::errc() || stop != (minutes ? end - 1 : end) || !positive)
    throw std::invalid_argument(fmt::format("--save-every must be a number of steps (500) or of minutes (30m), got {}", text));
  return every;
}
}  // namespace autodidact::train
