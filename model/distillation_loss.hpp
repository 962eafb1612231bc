// model/distillation_loss.hpp: the loss of a recipe (model/recipe.hpp), as nodes of the graph.
//
// Nodes and outputs, each of shape () and each before its weight (α, λ and T² are in none but the last):
//   loss/ce/k        k = 4, and 1 … 3 with branches
//   loss/soft/k      k = 1 … 3, where α is not 0
//   loss/feature/k   the recipe's feature exits, where λ is not 0. As norm it is three nodes, feature_distanceK.squares (of this
//                    program's samples) → feature_distanceK.sum (over ranks) → loss/feature/K (√): the root needs the whole batch.
//   loss/total       the loss of the graph
// Terms of exit k = 1 … 3 carry the tag of exit k; loss/ce/4 and loss/total are the trunk's.
//
// Of a micro-batch, which is a part of the batch, the norm has one node more, feature_distanceK.whole, which adds the input
// scalar/squares_elsewhere/K: the squares of all other micro-batches. feature_distanceK.sum is then an output, squares/K, so that a
// sweep forward over all of them can find those sums. The gradient is that of the whole batch: what is elsewhere does not depend on
// these samples.
//
// Inputs: labels, second_labels (N), equal where no two images are mixed; and the scalars of loss_scalars().
#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "engine/graph.hpp"
#include "model/network.hpp"
#include "model/recipe.hpp"

namespace autodidact::model {

// Which part of a batch the samples of a graph are: all of it, or a micro-batch.
enum class BatchPart : std::uint8_t { whole, micro };

// Adds the loss behind the network's exits; returns loss/total. Throws std::invalid_argument if the network lacks the branches or
// adaptation layers that the recipe needs.
engine::ValueId add_distillation_loss(engine::Graph& graph, const Network& network,
                                      const Recipe& recipe, BatchPart part = BatchPart::whole);

// How the labels of a batch count.
struct LabelMixing {
  double mix = 1;        // weight of labels; second_labels have the rest
  double smoothing = 0;  // 0 … 1: the part of the target that is spread over all classes
};

// The numbers of every scalar input that add_distillation_loss declares for this recipe, by name:
//   scalar/inv_batch            1/N_total: of all ranks and micro-batches of the step, not of this program
//   scalar/mix, scalar/smoothing
//   scalar/weight_teacher       1
//   scalar/weight_ce            1 − α                 with branches
//   scalar/temperature          T                     where α is not 0
//   scalar/weight_soft          α, or α·T² with t2    where α is not 0
//   scalar/weight_feature       λ                     where it is not 0 and the recipe has feature exits
std::map<std::string, double> loss_scalars(const Recipe& recipe, std::int64_t total_batch,
                                           LabelMixing mixing = {});
}  // namespace autodidact::model
