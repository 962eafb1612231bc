// model/exit_branch.hpp: what hangs on a stage of the trunk so that the network can answer there.
//
// Source    "Be Your Own Teacher", Zhang et al. 2019, arXiv:1905.08094, and its journal version, doi
//           10.1109/TPAMI.2021.3067100 (attention, separable convolutions).
//
// separable convolution, C → C', half the plane; none of its convolutions has a bias:
//   op.0 depthwise 3×3 stride 2 · op.1 1×1 C→C · op.2 BN · op.3 ReLU · op.4 depthwise 3×3 · op.5 1×1 C→C' · op.6 BN · op.7 ReLU
// attentionK   0 separable convolution C→C · 1 BN · 2 ReLU (a second one behind op.7, as published) · 3 bilinear up-sampling to
//              the stage's size · 4 sigmoid · gate: stage × attention. For this branch only: the trunk goes on un-attended.
// scalaK       0 … 3−K: separable convolutions, each doubling the channels · pool: → feature (N, 8·width·expansion)
// fcK          linear → logits (N,Q)
#pragma once
#include <cstdint>

#include "engine/graph.hpp"
#include "model/layers.hpp"

namespace autodidact::model {

// What one exit gives; an id is invalid where the network has no such value.
struct Exit {
  engine::ValueId feature;  // (N,F)
  engine::ValueId logits;   // (N,Q)
  engine::ValueId adapted;  // (N,F): the feature behind its adaptation layer
};

// Exit k = 1 … 3 on the output of stage k, `stage` (N,C,H,W); its nodes carry the tag of exit k.
Exit exit_branch(engine::Graph& graph, int k, engine::ValueId stage, std::int64_t classes,
                 Pooling pooling);
}  // namespace autodidact::model
