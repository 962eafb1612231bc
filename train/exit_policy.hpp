// train/exit_policy.hpp: at which exit an image is answered.
//
// Source    "Dynamic inference" of arXiv:1905.08094: leave at the first exit that is sure enough, else let all decide together. There
//           every exit was computed for every image; here exits that a policy does not keep are never computed (train/cascade.hpp).
// Measures  of how sure an exit is, from its logits z with p = softmax(z):
//             max_softmax   max p                        leaves at ≥ threshold
//             entropy       −Σ p·ln p, in nats           leaves at ≤ threshold
//             margin        largest p − second largest   leaves at ≥ threshold
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "train/cascade.hpp"

namespace autodidact::train {

enum class Measure : std::uint8_t { max_softmax, entropy, margin };
// Of images that no exit took: exit 4 alone, or the mean of the logits of all exits that the policy computes.
enum class Otherwise : std::uint8_t { exit4, ensemble };

inline constexpr Measure kMeasures[] = {Measure::max_softmax, Measure::entropy, Measure::margin};
const char* name_of(Measure measure);
const char* name_of(Otherwise otherwise);
// By name; std::invalid_argument with the list.
Measure measure_by_name(std::string_view name);
Otherwise otherwise_by_name(std::string_view name);

struct ExitThreshold {
  int exit = 1;
  double threshold = 1;
  bool operator==(const ExitThreshold&) const = default;
};

struct ExitPolicy {
  Measure measure = Measure::max_softmax;
  std::vector<ExitThreshold> exits = {};  // kept, ascending. A threshold at exit 4: where it is not sure, `otherwise` decides
  Otherwise otherwise = Otherwise::exit4;
  bool operator==(const ExitPolicy&) const = default;

  std::vector<int> early_exits() const;  // those before exit 4
};

// std::invalid_argument: exits that do not ascend within 1 … 4, or a threshold that is not finite or below 0.
void check(const ExitPolicy& policy);

// How sure the logits are, in the measure's own number.
double sureness(Measure measure, std::span<const float> logits);
bool passes(Measure measure, double sureness, double threshold);
// Whether an image with these logits leaves at exit k; false where the policy does not keep it.
bool leaves(const ExitPolicy& policy, int exit, std::span<const float> logits);

struct Answer {
  int exit = 4;           // where the image left
  bool ensemble = false;  // nobody was sure: all decided
  std::vector<float> logits = {};
  std::size_t best() const;  // the class
};
Answer answer_of(const ExitPolicy& policy, const CascadeResult& result, std::size_t image);

// All classes with their softmax, the likeliest first.
struct ClassProbability {
  std::size_t index = 0;
  double probability = 0;
};
std::vector<ClassProbability> ranked(std::span<const float> logits);
}  // namespace autodidact::train
