#include "model/distillation_loss.hpp"

#include <fmt/format.h>

#include <stdexcept>

#include "ops/collective_sum.hpp"
#include "ops/cross_entropy.hpp"
#include "ops/root.hpp"
#include "ops/soft_cross_entropy.hpp"
#include "ops/squared_distance.hpp"
#include "ops/weighted_sum.hpp"

namespace autodidact::model {
using engine::apply, engine::Graph, engine::Role, engine::Shape, engine::ValueId;

namespace {

class LossBuilder {
 public:
  LossBuilder(Graph& graph, const Network& network, const Recipe& recipe, BatchPart part)
      : graph_(graph), network_(network), recipe_(recipe), part_(part) {
    // Any batch will do: only the names count here.
    for (const auto& [name, value] : loss_scalars(recipe, 1))
      scalars_[name] = graph.input(name, {}, Role::scalar);
    const Shape samples{graph.value(network.images).shape[0]};
    labels_ = graph.input("labels", samples, Role::label);
    second_labels_ = graph.input("second_labels", samples, Role::label);
  }

  ValueId build() {
    add(cross_entropy(kTeacher), "scalar/weight_teacher");
    for (int k = kTeacher - 1; recipe_.branches && k >= 1; --k) {
      const auto scope = graph_.exit(k);
      add(cross_entropy(k), "scalar/weight_ce");
      if (recipe_.has_soft_term()) add(soft_cross_entropy(k), "scalar/weight_soft");
    }
    for (const int k : recipe_.active_feature_exits()) {
      const auto scope = graph_.exit(k);
      add(feature_distance(k), "scalar/weight_feature");
    }
    return total();
  }

 private:
  ValueId scalar(const std::string& name) const { return scalars_.at(name); }

  void add(ValueId term, const std::string& weight) {
    terms_.push_back(term);
    weights_.push_back(scalar(weight));
  }

  ValueId cross_entropy(int k) {
    return apply(graph_, fmt::format("loss/ce/{}", k), ops::CrossEntropy(),
                 {network_.exit(k).logits, labels_, second_labels_, scalar("scalar/mix"),
                  scalar("scalar/smoothing"), scalar("scalar/inv_batch")});
  }

  ValueId soft_cross_entropy(int k) {
    return apply(graph_, fmt::format("loss/soft/{}", k), ops::SoftCrossEntropy(),
                 {network_.exit(k).logits, network_.exit(kTeacher).logits,
                  scalar("scalar/temperature"), scalar("scalar/inv_batch")});
  }

  ValueId feature_distance(int k) {
    const Exit& student = network_.exit(k);
    const std::string term = fmt::format("loss/feature/{}", k);
    const std::string steps = fmt::format("feature_distance{}", k);
    const bool norm = recipe_.feature_term == FeatureTerm::norm;
    const ValueId squares = apply(
        graph_, norm ? steps + ".squares" : term, ops::SquaredDistance(),
        {recipe_.adaptation ? student.adapted : student.feature, network_.exit(kTeacher).feature});
    if (!norm)
      return squares;  // a sum over samples: ranks and micro-batches add up behind the loss
    const ValueId sum = apply(graph_, steps + ".sum", ops::CollectiveSum(), {squares});
    return apply(graph_, term, ops::Root(), {part_ == BatchPart::micro ? of_whole_batch(k, sum, steps) : sum});
  }

  ValueId of_whole_batch(int k, ValueId sum, const std::string& steps) {
    graph_.output(fmt::format("squares/{}", k), sum);
    const ValueId elsewhere = graph_.input(fmt::format("scalar/squares_elsewhere/{}", k), {}, Role::scalar);
    const ValueId one = scalar("scalar/weight_teacher");
    return apply(graph_, steps + ".whole", ops::WeightedSum(2), {sum, elsewhere, one, one});
  }

  ValueId total() {
    const int count = static_cast<int>(terms_.size());
    for (const ValueId term : terms_) graph_.output(graph_.value(term).name, term);
    std::vector<ValueId> inputs = terms_;
    inputs.insert(inputs.end(), weights_.begin(), weights_.end());
    const ValueId total = apply(graph_, "loss/total", ops::WeightedSum(count), inputs);
    graph_.output("loss/total", total);
    graph_.loss(total);
    return total;
  }

  Graph& graph_;
  const Network& network_;
  const Recipe& recipe_;
  BatchPart part_;
  std::map<std::string, ValueId> scalars_;
  ValueId labels_, second_labels_;
  std::vector<ValueId> terms_, weights_;
};
}  // namespace

ValueId add_distillation_loss(Graph& graph, const Network& network, const Recipe& recipe, BatchPart part) {
  check(recipe);
  if (recipe.branches && !network.options.branches)
    throw std::invalid_argument(fmt::format(
        "recipe {} needs the branches of exits 1 to 3, and this network has none", recipe.name));
  for (const int k : recipe.adaptation_exits())
    if (!network.exit(k).adapted.valid())
      throw std::invalid_argument(
          fmt::format("recipe {} needs an adaptation layer for exit {}, and this network has none",
                      recipe.name, k));
  return LossBuilder(graph, network, recipe, part).build();
}

std::map<std::string, double> loss_scalars(const Recipe& recipe, std::int64_t total_batch,
                                           LabelMixing mixing) {
  if (total_batch < 1)
    throw std::invalid_argument(fmt::format("a batch has at least 1 image, got {}", total_batch));
  std::map<std::string, double> scalars{{"scalar/inv_batch", 1 / static_cast<double>(total_batch)},
                                        {"scalar/mix", mixing.mix},
                                        {"scalar/smoothing", mixing.smoothing},
                                        {"scalar/weight_teacher", 1}};
  if (recipe.branches) scalars["scalar/weight_ce"] = 1 - recipe.alpha;
  if (recipe.has_soft_term()) {
    const double T = recipe.temperature;
    scalars["scalar/temperature"] = T;
    scalars["scalar/weight_soft"] = recipe.t2 ? recipe.alpha * T * T : recipe.alpha;
  }
  if (!recipe.active_feature_exits().empty()) scalars["scalar/weight_feature"] = recipe.lambda;
  return scalars;
}
}  // namespace autodidact::model
