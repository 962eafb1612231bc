// ops/linear.hpp: every output is a weighted sum of all inputs, plus a bias.
//
// Source    Rumelhart, Hinton & Williams 1986, "Learning representations by back-propagating errors"; as the matrix
//           product that follows, e.g. Goodfellow, Bengio & Courville 2016, "Deep Learning", §6.5.6.
// Symbols   x, dx : (N,C)     w, dw : (Q,C)     b, db : (Q)     y, dy : (N,Q)
//
// Forward   y  = x·wᵀ + b           y[n,q]  = b[q] + Σ_c x[n,c]·w[q,c]
// Backward  dx = dy·w               dx[n,c] = Σ_q dy[n,q]·w[q,c]
//           dw = dyᵀ·x              dw[q,c] = Σ_n dy[n,q]·x[n,c]
//           db = Σ_n dy[n,·]        db[q]   = Σ_n dy[n,q]
//           (Shapes alone settle which factor is transposed: only one order fits.)
//
// Keeps     nothing: backward reads x and w again. Two backward tasks: dx; dw with db. Writes with "=".
// Fast      oneDNN's matrix product; db by columns, in the order of the rows.
#pragma once
#include <string>
#include <vector>

#include "engine/op.hpp"

namespace autodidact::ops {

// Inputs x, w, b. Output y.
class Linear final : public engine::Op {
 public:
  std::string_view kind() const override { return "linear"; }
  std::string describe() const override { return "linear"; }
  std::vector<engine::Port> inputs() const override;
  std::vector<engine::Shape> infer(std::string_view node,
                                   std::span<const engine::Shape> inputs) const override;
  std::vector<engine::BackwardTask> backward() const override;
  void reference(engine::Pass pass, const engine::ReferenceArguments& arguments) const override;
  std::vector<engine::Candidate> candidates(const engine::Query& query) const override;
};
}  // namespace autodidact::ops
