#include "train/tally.hpp"

#include <algorithm>
#include <string_view>

namespace autodidact::train {
namespace {

constexpr std::array<std::string_view, kExits> kLogits{"logits/1", "logits/2", "logits/3", "logits/4"};
}  // namespace

void Tally::add(const engine::Program& program, std::span<const std::int32_t> labels, Confusion* confusion) {
  std::array<std::span<const float>, kExits> logits;
  for (std::size_t k = 0; k < kExits; ++k) {
    counts_.present[k] = program.outputs().contains(kLogits[k]);
    if (counts_.present[k]) logits[k] = program.view(kLogits[k]);
  }
  const std::size_t classes = logits[kExits - 1].size() / labels.size();
  for (std::size_t n = 0; n < labels.size(); ++n) {
    const auto row = [&](std::size_t k) { return logits[k].subspan(n * classes, classes); };
    const auto target = static_cast<std::ptrdiff_t>(labels[n]);
    const auto answered = [&](std::size_t column, std::ptrdiff_t answer) {
      if (confusion) confusion->add(column, classes, static_cast<std::size_t>(target), static_cast<std::size_t>(answer));
      return answer == target;
    };
    for (std::size_t k = 0; k < kExits; ++k)
      if (counts_.present[k]) counts_.correct[k] += answered(k, std::max_element(row(k).begin(), row(k).end()) - row(k).begin());
    if (!counts_.present[0]) continue;
    std::size_t best = 0;
    double best_sum = 0;
    for (std::size_t q = 0; q < classes; ++q) {
      double sum = 0;
      for (std::size_t k = ensemble_ == Ensemble::all ? 0 : 1; k < kExits; ++k) sum += row(k)[q];
      if (q > 0 && sum <= best_sum) continue;
      best = q;
      best_sum = sum;
    }
    counts_.ensemble_correct += answered(kExits, static_cast<std::ptrdiff_t>(best));
  }
  counts_.images += static_cast<std::int64_t>(labels.size());
}

void Tally::add(const Tally& other) {
  const Counts& more = other.counts_;
  if (more.images == 0) return;
  counts_.images += more.images;
  counts_.ensemble_correct += more.ensemble_correct;
  counts_.present = more.present;
  for (std::size_t k = 0; k < kExits; ++k) counts_.correct[k] += more.correct[k];
}

ExitAccuracies Tally::accuracies() const {
  ExitAccuracies accuracies;
  if (counts_.images == 0) return accuracies;
  const auto percent = [&](std::int64_t correct) {
    return 100.0 * static_cast<double>(correct) / static_cast<double>(counts_.images);
  };
  for (std::size_t k = 0; k < kExits; ++k)
    if (counts_.present[k]) accuracies.exits[k] = percent(counts_.correct[k]);
  if (counts_.present[0]) accuracies.ensemble = percent(counts_.ensemble_correct);
  return accuracies;
}
}  // namespace autodidact::train
