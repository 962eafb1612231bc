// model/recipe.hpp: what the exits learn from, as numbers.
//
//   L = CE(z₄,y) + Σ_{k=3,2,1} [(1−α)·CE(z_k,y) + w·S(z_k,z₄)] + λ·Σ_{k in feature exits} D_k         w = α, or α·T² with t2
//
// CE, S: ops/cross_entropy.hpp, ops/soft_cross_entropy.hpp, means over the batch. D_k compares A_k(f_k), or f_k without
// adaptation layers, with f₄ over the whole batch. z₄ and f₄ are detached in S and D.
//
// name       source                                     α    T  t2   D        λ     exits    A     lr ÷ 10 at
// seed       the published program of arXiv:1905.08094  .3   3  no   norm     .03   1, 2     yes   thirds
// iccv2019   the paper, arXiv:1905.08094                .1   3  yes  squares  1e-6  1, 2, 3  no    75, 130, 180 of 200
// scan       NeurIPS 2019, arXiv:1906.03951             .5   3  yes  squares  5e-7  1, 2, 3  no    75, 130, 180 of 200
// none       every exit from the labels alone           0    –  –    –        0     –        –     thirds
// baseline   no branches: trunk and fc4                 0    –  –    –        0     –        –     thirds
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace autodidact::model {

// norm: the Euclidean norm of the (N,F) difference · squares: its square. Neither is averaged.
enum class FeatureTerm : std::uint8_t { norm, squares };

// Which rule gives the epochs at which the learning rate falls (optim/schedule.hpp has the rules).
enum class MilestoneRule : std::uint8_t { thirds, scaled };

struct Recipe {
  std::string name = "seed";
  double alpha = 0.3;      // 0 … 1
  double temperature = 3;  // T > 0
  bool t2 = false;
  FeatureTerm feature_term = FeatureTerm::norm;
  double lambda = 0.03;  // ≥ 0; 0: there is no feature term
  std::vector<int> feature_exits = {1, 2};
  bool adaptation = true;
  bool branches = true;
  MilestoneRule milestones = MilestoneRule::thirds;
  bool operator==(const Recipe&) const = default;

  bool has_soft_term() const { return branches && alpha != 0; }
  // Exits with a feature term, deepest first; and those among them whose feature goes through an adaptation layer: what
  // NetworkOptions::adaptation must hold at least.
  std::vector<int> active_feature_exits() const;
  std::vector<int> adaptation_exits() const;
};

std::span<const Recipe> recipes();
// Throws std::invalid_argument with the list of names.
Recipe recipe_by_name(std::string_view name);

// Throws std::invalid_argument for a number outside its range.
void check(const Recipe& recipe);
}  // namespace autodidact::model
