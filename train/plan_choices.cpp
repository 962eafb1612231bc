#include "train/plan_choices.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <sstream>
#include <utility>
#include <vector>

#include "engine/compile/compile.hpp"

namespace autodidact::train {
namespace {

// "NODE<tab>PASS" and what follows, in the order of the text.
std::vector<std::pair<std::string, std::string>> parse(const std::string& text) {
  std::vector<std::pair<std::string, std::string>> choices;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t node = line.find('\t'), pass = node == std::string::npos ? node : line.find('\t', node + 1);
    if (pass != std::string::npos) choices.emplace_back(line.substr(0, pass), line.substr(pass + 1));
  }
  return choices;
}

// The steps of the trunk that run beside the branches.
std::vector<std::string> take_beside(std::vector<std::pair<std::string, std::string>>& choices) {
  std::vector<std::string> steps;
  std::erase_if(choices, [&](const auto& choice) {
    const bool beside = engine::kBesideLine.substr(0, engine::kBesideLine.size() - 1) == choice.first;
    if (beside) steps.push_back(choice.second);
    return beside;
  });
  return steps;
}

// "in turn", "side by side"; empty if it is not said.
std::string take_branches(std::vector<std::pair<std::string, std::string>>& choices) {
  if (choices.empty() || !choices.front().first.starts_with("branches\t")) return {};
  std::string words = choices.front().second;
  std::replace(words.begin(), words.end(), '_', ' ');
  choices.erase(choices.begin());
  return words;
}

std::string in_words(std::string text) {
  std::replace(text.begin(), text.end(), '\t', ' ');
  return text;
}
}  // namespace

std::string plan_choices(const engine::Program& program) {
  std::string text = line_of(program.divided() ? engine::Branches::side_by_side : engine::Branches::in_turn) + '\n';
  for (const std::string& line : beside_lines(program)) text += line + '\n';
  for (const engine::Task& task : program.tasks())
    if (!task.node.empty()) text += fmt::format("{}\t{}\t{}\t{}\t{}\n", task.node, name_of(task.pass), task.candidate, task.implementation,
                                              task.formats);
  return text;
}

std::vector<std::string> lines_of(const std::string& choices) {
  std::vector<std::string> lines;
  std::istringstream text(choices);
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

std::string choices_difference(const std::string& before, const std::string& now) {
  if (before == now) return {};
  auto then = parse(before), here = parse(now);
  const std::string branches_then = take_branches(then), branches_here = take_branches(here);
  if (!branches_then.empty() && branches_then != branches_here) return fmt::format("the branches run {}, they ran {}", branches_here, branches_then);
  const auto beside_then = take_beside(then), beside_here = take_beside(here);
  if (beside_then != beside_here)
    return fmt::format("{} steps of the trunk run beside the branches, it was {}{}", beside_here.size(), beside_then.size(),
                       beside_then.size() == beside_here.size() ? " others" : "");
  if (then.size() != here.size()) return fmt::format("the step has {} tasks, it had {}", here.size(), then.size());
  std::size_t different = 0, first = 0;
  for (std::size_t i = then.size(); i-- > 0;)
    if (then[i] != here[i]) {
      ++different;
      first = i;
    }
  if (different == 0) return {};
  return fmt::format("{} of {} tasks run another algorithm, first {}: {} was {}", different, here.size(),
                     in_words(here[first].first), in_words(here[first].second), in_words(then[first].second));
}

std::string timings_text(const engine::Timings& timings) {
  std::string text;
  for (const auto& [key, ms] : timings.used()) text += fmt::format("{}\t{}\n", ms, key);
  return text;
}

void adopt_timings(std::string_view text, engine::Timings& timings) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const std::size_t tab = line.find('\t');
    if (tab == std::string_view::npos) continue;
    double ms = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + tab, ms);
    if (error == std::errc() && end == line.data() + tab && std::isfinite(ms) && ms >= 0) timings.add(std::string(line.substr(tab + 1)), ms);
  }
}
}  // namespace autodidact::train
