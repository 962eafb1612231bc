#include "train/batch_gradient.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "train/trainer.hpp"

namespace autodidact::train {
using engine::ParameterStore, engine::Section;

namespace {

constexpr std::array<std::string_view, 3> kSquares{"squares/1", "squares/2", "squares/3"};
constexpr std::array<std::string_view, 3> kElsewhere{"scalar/squares_elsewhere/1", "scalar/squares_elsewhere/2",
                                                     "scalar/squares_elsewhere/3"};

double scalar(const engine::Program& program, std::string_view name) {
  return program.number_type() == engine::DType::f64 ? program.scalar(name) : program.view(name)[0];
}

StepLoss losses(const engine::Program& program, const model::Recipe& recipe) {
  StepLoss loss;
  const double soft_weight = recipe.alpha * (recipe.t2 ? recipe.temperature * recipe.temperature : 1);
  // "loss/ce/3" is exit 3's.
  const auto of_exit = [](ExitLosses::List& list, std::string_view name) -> double& {
    return list[static_cast<std::size_t>(name.back() - '1')];
  };
  for (const auto& [name, terminal] : program.outputs()) {
    if (!name.starts_with("loss/")) continue;
    const double value = scalar(program, name);
    if (name == "loss/total") {
      loss.total = value;
    } else if (name.starts_with("loss/ce/")) {
      of_exit(loss.exits.ce, name) = value;
      loss.ce += (name == "loss/ce/4" ? 1 : 1 - recipe.alpha) * value;
    } else if (name.starts_with("loss/soft/")) {
      of_exit(loss.exits.soft, name) = value;
      loss.soft += soft_weight * value;
    } else if (name.starts_with("loss/feature/")) {
      of_exit(loss.exits.feature, name) = value;
      loss.feature += recipe.lambda * value;
    }
  }
  return loss;
}

bool has_norm(const model::Recipe& recipe) {
  return recipe.feature_term == model::FeatureTerm::norm && !recipe.active_feature_exits().empty();
}

// A norm is the same number in every micro-batch: that of the whole batch.
void add(StepLoss& sum, const StepLoss& piece, bool norm) {
  const auto add_exits = [](ExitLosses::List& to, const ExitLosses::List& from) {
    for (std::size_t k = 0; k < kExits; ++k) to[k] += from[k];
  };
  sum.ce += piece.ce;
  sum.soft += piece.soft;
  add_exits(sum.exits.ce, piece.exits.ce);
  add_exits(sum.exits.soft, piece.exits.soft);
  sum.feature = norm ? piece.feature : sum.feature + piece.feature;
  if (norm) sum.exits.feature = piece.exits.feature;
  else add_exits(sum.exits.feature, piece.exits.feature);
  sum.total = sum.ce + sum.soft + sum.feature;
}
}  // namespace

std::int64_t micro_batches(std::int64_t batch, int wanted) {
  constexpr std::int64_t kLeast = 2;
  return std::clamp<std::int64_t>(wanted, 1, std::max<std::int64_t>(1, batch / kLeast));
}

data::Batch part_of(const data::Batch& batch, std::size_t first, std::size_t count) {
  data::Batch part = batch;
  const std::size_t pixels = batch.images.size() / batch.count;
  part.images = batch.images.subspan(first * pixels, count * pixels);
  part.labels = batch.labels.subspan(first, count);
  if (!batch.second_labels.empty()) part.second_labels = batch.second_labels.subspan(first, count);
  part.count = count;
  return part;
}

BatchGradient::BatchGradient(int pieces, double label_smoothing, Programs& programs, engine::Executor& executor, ParameterStore& store)
    : pieces_(pieces), label_smoothing_(label_smoothing), norm_(has_norm(programs.recipe())), programs_(programs), executor_(executor), store_(store) {
  if (pieces < 1) throw std::invalid_argument(fmt::format("a batch is at least 1 micro-batch, got {}", pieces));
  if (pieces == 1) return;
  store.add(Section::accumulated);
  squares_.resize(static_cast<std::size_t>(pieces));
}

engine::Program& BatchGradient::prepare(std::int64_t batch) {
  const std::int64_t count = micro_batches(batch, pieces_), smallest = batch / count, largest = (batch + count - 1) / count;
  engine::Program& program = programs_.training(largest);
  (void)programs_.training(smallest);
  if (pieces_ > 1 && chunks_.empty())
    chunks_ = optim::chunks_of(store_.layout(), program.gradients(), [](const engine::Slot&) { return true; });
  return program;
}

data::Batch BatchGradient::piece(const data::Batch& batch, std::int64_t index) const {
  const auto all = static_cast<std::int64_t>(batch.count), count = pieces(batch);
  const std::int64_t first = all * index / count, last = all * (index + 1) / count;
  return part_of(batch, static_cast<std::size_t>(first), static_cast<std::size_t>(last - first));
}

// The program of a micro-batch, with its images, labels and the scalars that depend on the rest of the batch.
engine::Program& BatchGradient::load(const data::Batch& batch, std::int64_t index) {
  const data::Batch part = piece(batch, index);
  engine::Program& program = programs_.training(static_cast<std::int64_t>(part.count));
  Trainer::feed(program, part, label_smoothing_);
  if (pieces_ == 1) return program;
  const double inverse = 1 / static_cast<double>(batch.count);
  program.set("scalar/inv_batch", {&inverse, 1});
  const std::int64_t count = pieces(batch);
  for (std::size_t k = 0; k < kStudents; ++k) {
    if (!program.inputs().contains(kElsewhere[k])) continue;
    double elsewhere = 0;
    for (std::int64_t other = 0; other < count; ++other)
      if (other != index) elsewhere += squares_[static_cast<std::size_t>(other)][k];
    program.set(kElsewhere[k], {&elsewhere, 1});
  }
  return program;
}

void BatchGradient::find_squares(const data::Batch& batch) {
  const std::int64_t count = pieces(batch);
  for (std::int64_t i = 0; i < count; ++i) {
    engine::Program& program = load(batch, i);
    executor_.run(program, store_, {.forward_only = true});
    for (std::size_t k = 0; k < kStudents; ++k)
      if (program.outputs().contains(kSquares[k])) squares_[static_cast<std::size_t>(i)][k] = scalar(program, kSquares[k]);
  }
}

void BatchGradient::accumulate(engine::Lane& lane, std::int64_t index, std::int64_t count) {
  optim::in_master_type(store_, [&](auto number) {
    using T = decltype(number);
    optim::for_each_chunk(lane, chunks_, [&](const optim::Chunk& chunk, std::size_t) {
      T* __restrict gradient = optim::elements<T>(store_, Section::gradients, chunk);
      T* __restrict sum = optim::elements<T>(store_, Section::accumulated, chunk);
      if (index == 0) std::copy_n(gradient, chunk.count, sum);
      else if (index + 1 < count)
        for (std::int64_t i = 0; i < chunk.count; ++i) sum[i] += gradient[i];
      else
        for (std::int64_t i = 0; i < chunk.count; ++i) gradient[i] += sum[i];
    });
  });
}

void BatchGradient::keep_states() {
  states_before_.resize(static_cast<std::size_t>(store_.layout().state_elements()) * engine::bytes_of(store_.master()));
  if (!states_before_.empty()) std::memcpy(states_before_.data(), store_.data(Section::states), states_before_.size());
}

void BatchGradient::take_back() {
  if (!states_before_.empty()) std::memcpy(store_.data(Section::states), states_before_.data(), states_before_.size());
  store_.discard();
}

StepLoss BatchGradient::run(const data::Batch& batch, Tally* tally) {
  const std::int64_t count = pieces(batch);
  prepare(static_cast<std::int64_t>(batch.count));
  const model::Recipe& recipe = programs_.recipe();
  if (count > 1) keep_states();
  else states_before_.clear();
  if (norm_ && count > 1) find_squares(batch);
  StepLoss loss;
  for (std::int64_t i = 0; i < count; ++i) {
    engine::Program& program = load(batch, i);
    executor_.run(program, store_);
    const StepLoss part = losses(program, recipe);
    if (i == 0) loss = part;
    else add(loss, part, norm_);
    if (!std::isfinite(part.total)) {
      loss.total = part.total;
      return loss;
    }
    if (tally) tally->add(program, piece(batch, i).labels);
    const auto add_up = [&](engine::Lane& lane) { accumulate(lane, i, count); };
    // By reference: a std::function of the lambda itself would allocate.
    if (count > 1) executor_.lanes().run_wide(std::cref(add_up));
    if (i + 1 < count) store_.commit_states();
  }
  return loss;
}

std::optional<engine::NonFinite> BatchGradient::find_bad(const data::Batch& batch) {
  const std::int64_t count = pieces(batch);
  for (auto& squares : squares_) squares.fill(0);  // those of the micro-batch that is wrong would make the others look so
  for (std::int64_t i = 0; i < count; ++i)
    if (auto bad = executor_.run_checked(load(batch, i), store_)) return bad;
  return {};
}
}  // namespace autodidact::train
