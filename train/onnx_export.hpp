// train/onnx_export.hpp: a network with its weights as an ONNX file, for runtimes of inference.
//
// Source    https://github.com/onnx/onnx/blob/main/docs/IR.md, IR version 8, operator set 15.
// Input     images, F32 (batch,C,H,W), normalised; the batch is free, the side is the network's
// Outputs   logits1 … logits4, F32 (batch,Q)
// The nodes are those of the cut, unfused graph, by the names that `plan` prints; batch norms are in their inference form, weights are
// initialisers by their state-dict names. metadata_props holds what the metadata of weights do (names of the classes, mean, std …).
#pragma once
#include <filesystem>

#include "engine/parameter_store.hpp"
#include "train/weights.hpp"

namespace autodidact::train {

inline constexpr int kAllExits = 0;

// `store` has at least the parameters of the network that `info` describes, adaptation layers aside. `exit`: 1 … 4 for one output and only
// what it needs. Atomic. Throws std::invalid_argument for an exit that the network does not have, or weights beyond the 2 GB that the
// format can hold.
void write_onnx(const std::filesystem::path& path, const ModelInfo& info, const engine::ParameterStore& store, int exit = kAllExits);
}  // namespace autodidact::train
