#include "train/exit_costs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <optional>
#include <stdexcept>

#include "train/median.hpp"

namespace autodidact::train {

ExitCosts::ExitCosts(std::vector<RungCosts> rungs) : rungs_(std::move(rungs)) {
  if (rungs_.empty()) throw std::invalid_argument("times must be there for at least one batch size");
  std::sort(rungs_.begin(), rungs_.end(), [](const RungCosts& a, const RungCosts& b) { return a.images < b.images; });
  const auto positive = [](double ms) { return std::isfinite(ms) && ms > 0; };
  for (std::size_t i = 0; i < rungs_.size(); ++i) {
    const RungCosts& rung = rungs_[i];
    if (rung.images < 1 || (i > 0 && rungs_[i - 1].images == rung.images))
      throw std::invalid_argument(fmt::format("times must be of distinct batch sizes from 1 on, got {}", rung.images));
    bool good = positive(rung.trunk);
    for (const auto& times : {rung.hand_over, rung.stage, rung.head}) good = good && std::all_of(times.begin(), times.end(), positive);
    if (!good) throw std::invalid_argument(fmt::format("times must be positive numbers, those of {} images are not", rung.images));
  }
}

template <class Value>
double ExitCosts::at(std::int64_t images, const Value& value) const {
  const auto above = std::find_if(rungs_.begin(), rungs_.end(), [&](const RungCosts& rung) { return rung.images >= images; });
  if (above == rungs_.end()) return value(rungs_.back()) * static_cast<double>(images) / static_cast<double>(rungs_.back().images);
  if (above == rungs_.begin() || above->images == images) return value(*above);
  const RungCosts& below = *std::prev(above);
  const double part = static_cast<double>(images - below.images) / static_cast<double>(above->images - below.images);
  return value(below) + part * (value(*above) - value(below));
}

double ExitCosts::trunk_ms(std::int64_t images) const {
  return at(images, [](const RungCosts& rung) { return rung.trunk; });
}

double ExitCosts::segment_ms(const Segment& segment, std::int64_t images) const {
  if (segment == Segment{}) return trunk_ms(images);
  return at(images, [&](const RungCosts& rung) {
    const auto from = static_cast<std::size_t>(segment.from), to = static_cast<std::size_t>(segment.to);
    double ms = segment.from < model::kExits ? rung.hand_over[from] : 0;
    for (std::size_t k = from; k < to; ++k) ms += rung.stage[k];
    return segment.head > 0 ? ms + rung.head[static_cast<std::size_t>(segment.head - 1)] : ms;
  });
}

double ExitCosts::batch_ms(std::span<const Segment> chain, std::int64_t batch, std::span<const int> left_at) const {
  double ms = 0;
  for (const Segment& segment : chain) {
    const auto there = std::count_if(left_at.begin(), left_at.end(), [&](int exit) { return exit > segment.from; });
    if (there > 0) ms += segment_ms(segment, rung(batch, there));
  }
  return ms;
}

namespace {
constexpr int kRounds = 9;

// All programs of one rung, and what they took in each round.
class RungTrial {
 public:
  RungTrial(Programs& programs, engine::Executor& executor, engine::ParameterStore& store, std::span<const float> images,
            std::int64_t batch, std::int64_t rung)
      : executor_(executor), store_(store), images_(std::as_bytes(images)), bytes_each_(images_.size() / static_cast<std::size_t>(batch)),
        rows_(static_cast<std::size_t>(rung)) {
    std::iota(rows_.begin(), rows_.end(), std::size_t{0});
    costs_.images = rung;
    SegmentOptions options{.batch = rung, .inherit = batch};
    trunk_.emplace(programs.segment({0, model::kExits, model::kExits}, options));
    for (int k = 1; k <= model::kExits; ++k) {
      stages_.push_back(programs.segment({k - 1, k, 0}, options));
      options.feed = engine::FeedType(stages_.back().outputs().at(kHandedOn).type);
      heads_.push_back(programs.segment({k, k, k}, options));
    }
  }

  RungCosts run() {
    for (int round = 0; round <= kRounds; ++round) {
      go_once();
      if (round == 0) times_.clear();  // packs weights, touches memory for the first time
    }
    costs_.trunk = typical("trunk", 0);
    for (int k = 0; k < model::kExits; ++k) {
      const auto i = static_cast<std::size_t>(k);
      costs_.hand_over[i] = typical("hand over", k);
      costs_.stage[i] = typical("stage", k);
      costs_.head[i] = typical("head", k);
    }
    return costs_;
  }

 private:
  // In the order of a cascade that nobody leaves.
  void go_once() {
    time("trunk", 0, [&] {
      give(images_, *trunk_);
      executor_.run(*trunk_, store_);
    });
    std::span<const std::byte> from = images_.first(rows_.size() * bytes_each_);
    for (int k = 0; k < model::kExits; ++k) {
      engine::Program& stage = stages_[static_cast<std::size_t>(k)];
      engine::Program& head = heads_[static_cast<std::size_t>(k)];
      time("hand over", k, [&] { give(from, stage); });
      time("stage", k, [&] { executor_.run(stage, store_); });
      from = stage.bytes(kHandedOn);
      give(from, head);
      time("head", k, [&] { executor_.run(head, store_); });
    }
  }

  void give(std::span<const std::byte> from, engine::Program& to) {
    const std::span<std::byte> input = to.bytes(feed_of(to));
    hand_over(executor_.lanes(), from, input, input.size() / rows_.size(), rows_);
  }

  template <class Work>
  void time(const char* what, int k, const Work& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double, std::milli> passed = std::chrono::steady_clock::now() - start;
    times_[{what, k}].push_back(passed.count());
  }
  double typical(const char* what, int k) const { return std::max(median(times_.at({what, k})), 1e-6); }

  engine::Executor& executor_;
  engine::ParameterStore& store_;
  std::span<const std::byte> images_;
  std::size_t bytes_each_;
  std::vector<std::size_t> rows_;
  RungCosts costs_;
  std::optional<engine::Program> trunk_;
  std::vector<engine::Program> stages_, heads_;
  std::map<std::pair<std::string, int>, std::vector<double>> times_;
};
}  // namespace

ExitCosts measure_costs(Programs& programs, engine::Executor& executor, engine::ParameterStore& store, std::span<const float> images,
                        std::int64_t batch) {
  const model::NetworkOptions& network = programs.network();
  images = images.first(static_cast<std::size_t>(batch * network.channels * network.image_height * network.image_width));
  std::vector<RungCosts> rungs;
  for (const std::int64_t rung : ladder(batch)) rungs.push_back(RungTrial(programs, executor, store, images, batch, rung).run());
  return ExitCosts(std::move(rungs));
}
}  // namespace autodidact::train
