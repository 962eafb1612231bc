// ops/add.hpp: the sum of two tensors: where a residual block meets its shortcut.
//
// Symbols   a, b, y and their gradients : one and the same shape, any rank
//
// Forward   y = a + b
// Backward  da = dy      db = dy
//
// Keeps     nothing. Writes with "=": da may take over the memory of dy, so that only db costs a sweep. Requires equal
//           shapes: nothing is broadcast. Behind a batch norm and in front of a ReLU it disappears: ops/batch_norm.hpp.
#pragma once
#include "engine/op.hpp"

namespace autodidact::ops {

class Add final : public engine::Op {
 public:
  std::string_view kind() const override { return "add"; }
  std::string describe() const override { return "add"; }
  std::vector<engine::Port> inputs() const override { return {{"a"}, {"b"}}; }
  std::vector<engine::Shape> infer(std::string_view node,
                                   std::span<const engine::Shape> inputs) const override;
  std::vector<engine::BackwardTask> backward() const override;
  void reference(engine::Pass pass, const engine::ReferenceArguments& arguments) const override;
  std::vector<engine::Candidate> candidates(const engine::Query& query) const override;
};
}  // namespace autodidact::ops
