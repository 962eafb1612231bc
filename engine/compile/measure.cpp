#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "engine/compile/draft.hpp"
#include "engine/compile/emission.hpp"
#include "engine/compile/roof.hpp"
#include "engine/compile/timings.hpp"
#include "engine/compile/trial.hpp"

namespace autodidact::engine::compile_passes {
namespace {

// Lanes that begin together. Whoever waits does so for a few milliseconds at most: on a busy machine one thread may serve two lanes in turn.
class Meeting {
 public:
  explicit Meeting(std::size_t lanes) : lanes_(lanes) {}
  void wait() {
    using Clock = std::chrono::steady_clock;
    ++here_;
    for (const auto start = Clock::now(); here_ < lanes_ && Clock::now() - start < std::chrono::milliseconds(3);) std::this_thread::yield();
  }

 private:
  std::size_t lanes_;
  std::atomic<std::size_t> here_ = 0;
};

constexpr int kRuns = 4;

// Whether there is nothing to be hoped for from one more run than these. The first found caches cold, or was interrupted: what is short is run again all the same.
bool settled(int runs, int most, double ms, double possible) {
  constexpr double kShort = 5, kFar[kRuns] = {0, 2, 1.25, 1.1};  // times what is known to be possible
  return runs == most || (runs > 0 && ms > kFar[runs] * possible && (runs > 1 || ms > kShort));
}

// What a candidate takes for its products alone.
double least_ms(const Query& query, const Candidate& candidate) {
  constexpr double kOff = 1.1;  // the measured speed of a CPU is a little off now and then
  return least_ms_of_products(candidate.products) / (kOff * query.threads);
}

// The fastest candidates that are known, by their formats.
using Known = std::map<std::string, double>;
double fastest(const Known& known) {
  double ms = std::numeric_limits<double>::max();
  for (const auto& [formats, of_formats] : known) ms = std::min(ms, of_formats);
  return ms;
}

// How often it need be run. Not at all if it takes longer than one of the same formats, or than any and the reorders that this one might need. Once if it takes
// longer than any: then it may be of use for its formats, but is not the fastest.
int worth_runs(const Query& query, const Candidate& candidate, const Known& known) {
  const double least = least_ms(query, candidate), possible = fastest(known);
  if (least <= possible) return kRuns;
  double with_reorders = possible;
  for (const OperandType& type : candidate.types) with_reorders += reorder_ms(type.type.bytes());
  const auto alike = known.find(formats_text(candidate));
  return least > with_reorders || (alike != known.end() && least > alike->second) ? 0 : 1;
}

struct Tried {
  double ms = std::numeric_limits<double>::max();
  std::vector<float> results;
};

// One candidate in every lane at once, of each lane's own: the fastest of some runs, of each of which the slowest lane counts. Weights that change from step
// to step are packed in every step.
Tried try_out(const Query& query, const std::vector<std::vector<Candidate>>& of_lanes, std::size_t candidate, const std::vector<TensorType>& keeps,
              TrialGround& ground, int most_runs, double possible) {
  std::vector<std::unique_ptr<Trial>> trials(ground.count());
  ground.run([&](Lane& lane, Arena& memory, std::size_t which) {
    trials[which] = std::make_unique<Trial>(query, of_lanes[which][candidate], keeps, lane, memory);
    if (!query.weights_change) trials[which]->pack(lane);
  });
  Tried tried;
  std::vector<double> ms(ground.count());
  for (int run = 0; !settled(run, most_runs, tried.ms, possible); ++run) {
    Meeting meeting(ground.count());
    ground.run([&](Lane& lane, Arena&, std::size_t which) {
      meeting.wait();
      const auto start = std::chrono::steady_clock::now();
      if (query.weights_change) trials[which]->pack(lane);
      trials[which]->run(lane);
      ms[which] = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    });
    tried.ms = std::min(tried.ms, *std::max_element(ms.begin(), ms.end()));
  }
  tried.results = trials.front()->results();
  return tried;
}

std::string key_of(const Query& query, const Candidate& candidate, std::size_t lanes) {
  std::string key = fmt::format("{} {} {} {} {} threads {} summands {}", query.node.op->kind(),
                                query.node.op->describe(), name_of(query.pass), candidate.id,
                                candidate.implementation, query.threads, query.d_output_summands);
  if (lanes > 1) key += fmt::format(" in {} lanes", lanes);
  if (!query.weights_change) key += " packed before";
  for (const Shape& shape : query.inputs) key += shape.text();
  for (const bool needed : query.needs_gradient) key += needed && query.pass != Pass::forward ? '1' : '0';
  for (const OperandType& type : candidate.types)
    key += fmt::format(" {}{}{}{}", static_cast<int>(type.operand.kind), type.operand.index, type.type.layout_text(),
                       type.type.dtype == DType::bf16 ? " bf16" : "");
  return key;
}

// How far the results of two candidates may be apart, ‖a − b‖ / ‖b‖: Winograd's rounding in f32 is below 1e-4; what is wrong is off by
// more than a hundredth.
constexpr double kAgreement = 2e-3;
// Two sums of the same products that fall on either side of a tie are rounded to neighbours, at most 2^-7 apart, but in a few numbers only:
// as a whole the results are nearer.
constexpr double kAgreementBf16 = 1.0 / 256;

struct Result {
  std::size_t candidate;
  std::vector<float> numbers;
};

double disagreement(const std::vector<float>& results, const std::vector<float>& others) {
  if (results.size() != others.size()) return 1e30;
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const double a = results[i], b = others[i];
    difference += (a - b) * (a - b);
    size += b * b;
  }
  const double error = std::sqrt(difference / std::max(size, 1e-30));
  return std::isfinite(error) ? error : 1e30;
}

// The result that most others agree with, those of one id, which may share a fault, as one; among equals a direct one, then the first.
const Result& most_agreed(const std::vector<Result>& results, const std::vector<Candidate>& candidates, double agreement) {
  const Result* best = &results.front();
  std::pair<std::ptrdiff_t, bool> best_rank{-1, false};
  for (const Result& result : results) {
    std::set<std::string> agreeing;
    for (const Result& other : results)
      if (disagreement(other.numbers, result.numbers) <= agreement) agreeing.insert(candidates[other.candidate].id);
    const std::pair rank{std::ssize(agreeing), candidates[result.candidate].id == "direct"};
    if (rank > best_rank) {
      best = &result;
      best_rank = rank;
    }
  }
  return *best;
}

std::string sentence(const Query& query, const Candidate& candidate, const std::string& what) {
  return fmt::format("{} {}: {} ({}) {}", query.node.label, name_of(query.pass), candidate.implementation, candidate.id, what);
}
}  // namespace

TensorType operand_type(const Query& query, const Candidate& candidate,
                        const std::vector<TensorType>& keeps, Operand operand) {
  using Kind = Operand::Kind;
  if (operand.kind == Kind::kept) return keeps[static_cast<std::size_t>(operand.index)];
  Operand wanted = operand;
  wanted.summand = 0;
  for (const OperandType& type : candidate.types)
    if (type.operand == wanted) return type.type;
  const auto index = static_cast<std::size_t>(operand.index);
  const bool of_output = operand.kind == Kind::output || operand.kind == Kind::d_output;
  const Role role = of_output ? query.node.op->output_role(operand.index)
                              : query.node.op->inputs()[index].role;
  return {of_output ? query.outputs[index] : query.inputs[index], storage(role, Precision::f32, 0), {}};
}

std::string formats_text(const Candidate& candidate) {
  std::string text;
  for (const OperandType& type : candidate.types) {
    if (!text.empty()) text += ' ';
    text += type.type.layout_text();
  }
  return text;
}

std::vector<double> measure(const Query& query, const std::vector<Candidate>& candidates, const std::function<std::vector<Candidate>()>& again,
                            const std::function<const std::vector<TensorType>&(const Candidate&)>& keeps, TrialGround& ground,
                            std::vector<std::string>& dropped) {
  std::vector<double> ms(candidates.size());
  std::vector<std::vector<Candidate>> of_lanes;  // made when the first is tried
  std::vector<Result> fresh;
  Known possible;
  const auto note = [&](std::size_t i) {
    const auto [entry, first] = possible.emplace(formats_text(candidates[i]), ms[i]);
    if (!first) entry->second = std::min(entry->second, ms[i]);
  };
  // From the last: those of our own, mostly the fastest, show what is possible.
  for (std::size_t i = candidates.size(); i-- > 0;) {
    const std::string key = key_of(query, candidates[i], ground.count());
    if (const auto known = timings().find(key)) {
      ms[i] = *known;
      note(i);
      if (*known >= Timings::kDropped) dropped.push_back(sentence(query, candidates[i], "disagreed with the others when it was measured"));
      continue;
    }
    // The first, of the library, is run in any case: what ours compute is compared with it.
    const int runs = std::max(worth_runs(query, candidates[i], possible), i == 0 ? 1 : 0);
    if (runs == 0) {
      ms[i] = Timings::kNotRun;
      continue;
    }
    if (of_lanes.empty()) {
      of_lanes.resize(ground.count());
      ground.run([&](Lane&, Arena&, std::size_t which) { of_lanes[which] = which == 0 ? candidates : again(); });
    }
    Tried tried = try_out(query, of_lanes, i, keeps(candidates[i]), ground, runs, fastest(possible));
    fresh.push_back({i, std::move(tried.results)});
    ms[i] = tried.ms;
    note(i);
    timings().add(key, ms[i]);
  }
  if (fresh.empty()) return ms;
  // What is new is held against what was measured before, by another version of this program perhaps.
  for (std::size_t i = 0; i < candidates.size() && fresh.size() == 1; ++i) {
    if (i == fresh.front().candidate || ms[i] >= Timings::kNotRun) continue;
    fresh.push_back({i, try_out(query, of_lanes, i, keeps(candidates[i]), ground, 1, 0).results});
  }
  if (fresh.size() < 2) return ms;
  std::reverse(fresh.begin(), fresh.end());
  const double agreement = query.precision == Precision::bf16 ? kAgreementBf16 : kAgreement;
  const Result& standard = most_agreed(fresh, candidates, agreement);
  for (const Result& result : fresh) {
    const double error = disagreement(result.numbers, standard.numbers);
    if (error <= agreement) continue;
    ms[result.candidate] = Timings::kDropped;
    timings().drop(key_of(query, candidates[result.candidate], ground.count()));
    dropped.push_back(sentence(query, candidates[result.candidate],
                               fmt::format("is off by {:.1e} of the result of {}", error, candidates[standard.candidate].implementation)));
  }
  // Some were not run because of one that was wrong.
  const bool drops = std::find(ms.begin(), ms.end(), Timings::kDropped) != ms.end();
  possible.clear();
  for (std::size_t i = 0; i < candidates.size(); ++i)
    if (ms[i] != Timings::kNotRun) note(i);
  for (std::size_t i = 0; i < candidates.size() && drops; ++i) {
    if (ms[i] != Timings::kNotRun || worth_runs(query, candidates[i], possible) == 0) continue;
    std::vector<std::string> said_before;
    return measure(query, candidates, again, keeps, ground, said_before);
  }
  return ms;
}

}  // namespace autodidact::engine::compile_passes

namespace autodidact::engine {
Timings& timings() {
  static Timings all;
  return all;
}
}  // namespace autodidact::engine
