#include "train/exit_policy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

namespace autodidact::train {
namespace {

std::vector<double> softmax(std::span<const float> logits) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  std::vector<double> p(logits.size());
  std::transform(logits.begin(), logits.end(), p.begin(), [&](float z) { return std::exp(static_cast<double>(z) - largest); });
  const double sum = std::accumulate(p.begin(), p.end(), 0.0);
  for (double& probability : p) probability /= sum;
  return p;
}
}  // namespace

const char* name_of(Measure measure) {
  switch (measure) {
    case Measure::max_softmax: return "max_softmax";
    case Measure::entropy: return "entropy";
    case Measure::margin: return "margin";
  }
  return "?";
}

const char* name_of(Otherwise otherwise) { return otherwise == Otherwise::exit4 ? "exit4" : "ensemble"; }

Measure measure_by_name(std::string_view name) {
  for (const Measure measure : kMeasures)
    if (name == name_of(measure)) return measure;
  throw std::invalid_argument(fmt::format("the measure must be max_softmax, entropy or margin, got {}", name));
}

Otherwise otherwise_by_name(std::string_view name) {
  for (const Otherwise otherwise : {Otherwise::exit4, Otherwise::ensemble})
    if (name == name_of(otherwise)) return otherwise;
  throw std::invalid_argument(fmt::format("images that no exit takes must go to exit4 or ensemble, got {}", name));
}

std::vector<int> ExitPolicy::early_exits() const {
  std::vector<int> early;
  for (const ExitThreshold& kept : exits)
    if (kept.exit < model::kTeacher) early.push_back(kept.exit);
  return early;
}

void check(const ExitPolicy& policy) {
  int before = 0;
  for (const auto& [exit, threshold] : policy.exits) {
    if (exit <= before || exit > model::kExits)
      throw std::invalid_argument(fmt::format("exits must ascend within 1 to {}, got {} after {}", model::kExits, exit, before));
    if (!std::isfinite(threshold) || threshold < 0)
      throw std::invalid_argument(fmt::format("the threshold of exit {} must be a number from 0 on, got {}", exit, threshold));
    before = exit;
  }
}

double sureness(Measure measure, std::span<const float> logits) {
  std::vector<double> p = softmax(logits);
  if (measure == Measure::max_softmax) return *std::max_element(p.begin(), p.end());
  if (measure == Measure::entropy) {
    double entropy = 0;
    for (const double probability : p)
      if (probability > 0) entropy -= probability * std::log(probability);
    return entropy;
  }
  std::partial_sort(p.begin(), p.begin() + 2, p.end(), std::greater<>());
  return p[0] - p[1];
}

bool passes(Measure measure, double sureness, double threshold) {
  return measure == Measure::entropy ? sureness <= threshold : sureness >= threshold;
}

bool leaves(const ExitPolicy& policy, int exit, std::span<const float> logits) {
  for (const ExitThreshold& kept : policy.exits)
    if (kept.exit == exit) return passes(policy.measure, sureness(policy.measure, logits), kept.threshold);
  return false;
}

std::size_t Answer::best() const {
  return static_cast<std::size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

Answer answer_of(const ExitPolicy& policy, const CascadeResult& result, std::size_t image) {
  const int exit = result.left_at[image];
  const auto last = result.of(exit, image);
  Answer answer{exit, false, {last.begin(), last.end()}};
  if (exit < model::kTeacher || policy.otherwise == Otherwise::exit4 || leaves(policy, model::kTeacher, last)) return answer;
  answer.ensemble = true;
  const std::vector<int> early = policy.early_exits();
  std::vector<double> sum(last.begin(), last.end());
  for (const int k : early) {
    const auto logits = result.of(k, image);
    for (std::size_t q = 0; q < sum.size(); ++q) sum[q] += logits[q];
  }
  for (std::size_t q = 0; q < sum.size(); ++q) answer.logits[q] = static_cast<float>(sum[q] / static_cast<double>(early.size() + 1));
  return answer;
}

std::vector<ClassProbability> ranked(std::span<const float> logits) {
  const std::vector<double> p = softmax(logits);
  std::vector<ClassProbability> classes;
  for (std::size_t q = 0; q < p.size(); ++q) classes.push_back({q, p[q]});
  std::stable_sort(classes.begin(), classes.end(),
                   [](const ClassProbability& a, const ClassProbability& b) { return a.probability > b.probability; });
  return classes;
}
}  // namespace autodidact::train
