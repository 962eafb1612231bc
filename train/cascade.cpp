#include "train/cascade.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <stdexcept>

#include "train/errors.hpp"

namespace autodidact::train {

std::vector<std::int64_t> ladder(std::int64_t batch) {
  // Below so many images the steps between are not worth a program: a batch takes about as long as one of a few images more.
  constexpr std::int64_t kFine = 16;
  std::vector<std::int64_t> rungs;
  for (std::int64_t n = batch; n > 1; n = (n + 1) / 2) {
    rungs.push_back(n);
    if (n > kFine) rungs.push_back((3 * n + 3) / 4);
  }
  rungs.push_back(1);
  return rungs;
}

std::int64_t rung(std::int64_t batch, std::int64_t images) {
  std::int64_t smallest = batch;
  for (const std::int64_t n : ladder(batch))
    if (n >= images) smallest = n;
  return smallest;
}

std::vector<Segment> chain(std::span<const int> exits) {
  std::vector<Segment> segments;
  int from = 0;
  for (const int k : exits) {
    if (k <= from || k >= model::kTeacher)
      throw std::invalid_argument(fmt::format("exits to leave at must ascend within 1 to {}, got {} after {}", model::kTeacher - 1, k, from));
    segments.push_back({from, k, k});
    from = k;
  }
  segments.push_back({from, model::kTeacher, model::kTeacher});
  return segments;
}

void hand_over(engine::Lanes& lanes, std::span<const std::byte> from, std::span<std::byte> to, std::size_t bytes_each,
               std::span<const std::size_t> rows) {
  if (rows.size() * bytes_each > to.size()) throw std::logic_error("what is handed over does not fit into what reads it");
  const auto copy = [&](std::int64_t begin, std::int64_t end, int) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i)
      std::memcpy(to.data() + i * bytes_each, from.data() + rows[i] * bytes_each, bytes_each);
  };
  const auto all = [&](engine::Lane& lane) { lane.parallel(static_cast<std::int64_t>(rows.size()), copy); };
  lanes.run_wide(std::cref(all));
}

Cascade::Cascade(Programs& programs, engine::Executor& executor, engine::ParameterStore& store, CascadeOptions options)
    : programs_(programs), executor_(executor), store_(store), options_(std::move(options)), segments_(chain(options_.exits)) {
  if (!options_.exits.empty() && !programs.network().branches)
    throw std::invalid_argument("a network without branches has one exit, its last: there is nowhere to leave early");
}

engine::Program& Cascade::program(std::size_t segment, std::int64_t batch, engine::FeedType feed) {
  const Key key{segment, batch, feed.format.block};
  const auto found = compiled_.find(key);
  if (found != compiled_.end()) return found->second;
  SegmentOptions options{.batch = batch, .inherit = options_.compact ? options_.batch : batch, .lanes = !options_.compact};
  if (segment > 0) options.feed = feed;
  return compiled_.emplace(key, programs_.segment(segments_[segment], options)).first->second;
}

void Cascade::feed(engine::Program& program) {
  sources_.clear();
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    sources_.push_back(rows_[i].row);
    rows_[i].row = i;
  }
  hand_over(executor_.lanes(), handed_on_, program.bytes(feed_of(program)), bytes_each_, sources_);
}

// Keeps the logits of those who are still there, and lets some of them go.
void Cascade::read_logits(const engine::Program& program, const Segment& segment, const Leaves& leaves) {
  const std::string name = fmt::format("logits/{}", segment.head);
  const auto classes = static_cast<std::size_t>(result_.classes);
  std::vector<float>& all = result_.logits[static_cast<std::size_t>(segment.head - 1)];
  all.resize(result_.left_at.size() * classes);
  for (const Row& row : rows_) {
    int& left_at = result_.left_at[row.image];
    if (left_at != model::kTeacher) continue;
    const std::span<const float> logits = program.view(name).subspan(row.row * classes, classes);
    if (!std::all_of(logits.begin(), logits.end(), [](float logit) { return std::isfinite(logit); }))
      throw NumericalError(fmt::format("{} of a batch is not finite: the weights are too large", name));
    std::copy(logits.begin(), logits.end(), all.begin() + static_cast<std::ptrdiff_t>(row.image * classes));
    if (segment.head != model::kTeacher && leaves(segment.head, row.image, logits)) left_at = segment.head;
  }
}

const CascadeResult& Cascade::run(std::span<const float> images, const Leaves& leaves) {
  const model::NetworkOptions& network = programs_.network();
  const auto each = static_cast<std::size_t>(network.channels * network.image_height * network.image_width);
  const std::size_t count = images.size() / each;
  if (count < 1 || static_cast<std::int64_t>(count) > options_.batch || images.size() != count * each)
    throw std::invalid_argument(fmt::format("{} numbers are not 1 to {} images of {}", images.size(), options_.batch, each));
  result_.classes = network.classes;
  result_.left_at.assign(count, model::kTeacher);
  rows_.resize(count);
  for (std::size_t i = 0; i < count; ++i) rows_[i] = {i, i};
  handed_on_ = std::as_bytes(images);
  bytes_each_ = each * sizeof(float);

  engine::FeedType handed_on;
  const auto is_there = [&](const Row& row) { return result_.left_at[row.image] == model::kTeacher; };
  for (std::size_t s = 0; s < segments_.size() && std::any_of(rows_.begin(), rows_.end(), is_there); ++s) {
    if (options_.compact) std::erase_if(rows_, [&](const Row& row) { return !is_there(row); });
    const auto rows = static_cast<std::int64_t>(rows_.size());
    const std::int64_t batch = options_.compact ? rung(options_.batch, rows) : rows;
    engine::Program& now = program(s, batch, handed_on);
    feed(now);
    executor_.run(now, store_);
    read_logits(now, segments_[s], leaves);
    if (!segments_[s].hands_on()) continue;
    handed_on = engine::FeedType(now.outputs().at(kHandedOn).type);
    handed_on_ = now.bytes(kHandedOn);
    bytes_each_ = handed_on_.size() / static_cast<std::size_t>(batch);
  }
  return result_;
}
}  // namespace autodidact::train
