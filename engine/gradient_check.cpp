#include "engine/gradient_check.hpp"

#include <algorithm>
#include <cmath>
#include <memory>

#include "engine/bf16.hpp"
#include "engine/executor.hpp"
#include "engine/random.hpp"

namespace autodidact::engine {
namespace {

using Numbers = std::vector<double>;

Numbers normal(std::int64_t count, Random& generator) {
  Numbers numbers(static_cast<std::size_t>(count));
  // Rounded to f32, so that both backends start from the same numbers.
  for (double& number : numbers) number = static_cast<float>(generator.normal());
  return numbers;
}

void round_to_bf16(Numbers& numbers) {
  for (double& number : numbers) number = static_cast<double>(static_cast<float>(Bf16(static_cast<float>(number))));
}

double dot(const Numbers& a, const Numbers& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

double norm(const Numbers& a) { return std::sqrt(dot(a, a)); }

Lanes& lanes_of(int threads) {
  static std::map<int, std::unique_ptr<Lanes>> all;
  auto& lanes = all[threads];
  if (!lanes) lanes = threads > 0 ? std::make_unique<Lanes>(Lanes::layout_for(threads)) : std::make_unique<Lanes>();
  return *lanes;
}

// A compiled CheckCase with its numbers.
class Trial {
 public:
  Trial(const CheckCase& check, Backend backend, std::vector<std::int64_t> blocks = {}, int threads = 0)
      : check_(check), graph_(make_graph(check)), store_(std::make_shared<const ParameterLayout>(graph_),
                                                backend == Backend::reference ? DType::f64 : DType::f32),
        executor_(lanes_of(threads)), program_(make_program(backend, std::move(blocks), threads)) {
    Random generator(check.seed, Purpose::probe);
    for (const Value& value : graph_.values()) {
      if (value.source == Source::node) continue;
      const Numbers random = normal(value.shape.count(), generator);
      const auto given = check.values.find(value.name);
      numbers_[value.name] = given == check.values.end() ? random : given->second;
      if (value.source == Source::state && given == check.values.end())
        for (double& number : numbers_[value.name]) number = std::abs(number) + 0.5;  // a variance is positive
      if (check.precision == Precision::bf16 && value.role != Role::label) round_to_bf16(numbers_[value.name]);
    }
    cotangent_ = normal(graph_.value(graph_.outputs().at("y")).shape.count(), generator);
    if (check.precision == Precision::bf16) round_to_bf16(cotangent_);
    for (const auto& [name, numbers] : numbers_) write(name, numbers);
    if (program_.inputs().contains(cotangent_name())) program_.set(cotangent_name(), cotangent_);
  }

  void run(StepFlags flags = {}) { executor_.run(program_, store_, flags); }
  void snapshot() { executor_.snapshot(program_); }
  void write(const std::string& name, const Numbers& numbers) {
    const auto& layout = store_.layout();
    if (const Slot* slot = layout.parameter(name)) return store_.set(Section::values, *slot, numbers);
    if (const Slot* slot = layout.state(name)) return store_.set(Section::states, *slot, numbers);
    if (program_.inputs().contains(name)) program_.set(name, numbers);
  }
  const Numbers& numbers(const std::string& name) const { return numbers_.at(name); }
  const Numbers& cotangent() const { return cotangent_; }
  Numbers y() const { return program_.get("y"); }
  Numbers gradient(const std::string& name) const {
    const Slot* slot = store_.layout().parameter(name);
    return slot ? store_.get(Section::gradients, *slot) : program_.get("d/" + name);
  }
  std::vector<std::string> differentiated() const {
    std::vector<std::string> names = check_.differentiate;
    for (const Slot& slot : store_.layout().parameters()) names.push_back(slot.name);
    return names;
  }
  std::map<std::string, Numbers> results() const {
    std::map<std::string, Numbers> all{{"y", y()}};
    for (const std::string& name : differentiated()) all["d/" + name] = gradient(name);
    for (const Slot& slot : store_.layout().states()) all[slot.name] = store_.get(Section::staged_states, slot);
    return all;
  }

 private:
  static Graph make_graph(const CheckCase& check) {
    Graph graph;
    graph.output("y", check.build(graph));
    return graph;
  }
  std::string cotangent_name() const { return "d/" + graph_.value(graph_.outputs().at("y")).name; }
  Program make_program(Backend backend, std::vector<std::int64_t> blocks, int threads) {
    CompileOptions options;
    options.backend = backend;
    options.precision = check_.precision;
    options.mode = check_.mode;
    options.choose = check_.direct ? Choose::direct : Choose::fixed;
    options.fusions = check_.fusions;
    options.prefer = check_.prefer;
    // No other output of the graph: an output lies outside the arena, and so outside the snapshot that holds detached values.
    options.outputs = {"y"};
    options.cotangents = {"y"};
    options.differentiate = check_.differentiate;
    options.gradients = !differentiated().empty();
    options.blocks = std::move(blocks);
    return compile(graph_, options, lanes_of(threads));
  }

  const CheckCase& check_;
  Graph graph_;
  ParameterStore store_;
  Executor executor_;
  Program program_;
  std::map<std::string, Numbers> numbers_;
  Numbers cotangent_;
};

using Direction = std::map<std::string, Numbers>;  // a tensor's name → u, for the tensors that move

// Fourth-order central difference of Σ dy·y along u.
double directional(Trial& trial, const Direction& direction, double h) {
  const auto at = [&](double t) {
    for (const auto& [name, u] : direction) {
      Numbers moved = trial.numbers(name);
      for (std::size_t i = 0; i < moved.size(); ++i) moved[i] += t * u[i];
      trial.write(name, moved);
    }
    trial.run({.forward_only = true, .replay = true});
    return dot(trial.cotangent(), trial.y());
  };
  const double slope = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
  for (const auto& [name, u] : direction) trial.write(name, trial.numbers(name));
  return slope;
}

}  // namespace

double relative_error(const Numbers& ours, const Numbers& reference) {
  Numbers difference(reference.size());
  for (std::size_t i = 0; i < reference.size(); ++i) difference[i] = ours[i] - reference[i];
  const double floor = 1e-6 * std::sqrt(static_cast<double>(reference.size()));
  const double error = norm(difference) / std::max(norm(reference), floor);
  return std::isfinite(error) ? error : 1e30;
}

double finite_difference_error(const CheckCase& check) {
  Trial trial(check, Backend::reference);
  trial.run();
  trial.snapshot();
  std::map<std::string, Numbers> gradients;
  for (const std::string& name : trial.differentiated()) gradients[name] = trial.gradient(name);
  std::vector<std::vector<std::string>> groups;  // tensors that move together
  for (const auto& [name, gradient] : gradients) {
    if (groups.empty() || !check.joint) groups.emplace_back();
    groups.back().push_back(name);
  }
  Random generator(check.seed, Purpose::probe, 1);
  double worst = 0;
  for (const auto& names : groups)
    for (int i = 0; i < check.directions; ++i) {
      Direction direction;
      double got = 0, squares = 0;
      for (const std::string& name : names) {
        const Numbers& gradient = gradients.at(name);
        const Numbers& u = direction[name] = normal(static_cast<std::int64_t>(gradient.size()), generator);
        got += dot(gradient, u);
        squares += dot(gradient, gradient);
      }
      const double expected = directional(trial, direction, check.step);
      const double scale = std::max({std::abs(expected), std::abs(got), 1e-2 * std::sqrt(squares), 1e-10});
      const double error = std::abs(expected - got) / scale;
      worst = std::isfinite(error) ? std::max(worst, error) : 1e30;
    }
  return worst;
}

std::map<std::string, double> fast_errors(const CheckCase& check) {
  Trial reference(check, Backend::reference);
  reference.run();
  const auto expected = reference.results();
  std::map<std::string, double> errors;
  for (const int threads : check.threads)
    for (const std::int64_t block : check.blocks) {
      Trial fast(check, Backend::fast, {block}, threads);
      fast.run();
      for (const auto& [name, numbers] : fast.results()) {
        double& error = errors[name];
        error = std::max(error, relative_error(numbers, expected.at(name)));
      }
    }
  return errors;
}

double worst(const std::map<std::string, double>& errors) {
  double worst = 0;
  for (const auto& [name, error] : errors) worst = std::max(worst, error);
  return worst;
}

std::map<std::string, std::vector<double>> run(const CheckCase& check, Backend backend) {
  Trial trial(check, backend);
  trial.run();
  return trial.results();
}
}  // namespace autodidact::engine
