// data/policy.hpp: which operations a picture is augmented with: a draw from AutoAugment's tables, or RandAugment's free choice.
//
// Source    Cubuk et al. 2019, AutoAugment, arXiv:1805.09501, tables 7, 8 and 9 as published for Pillow;
//           Cubuk et al. 2019, RandAugment, arXiv:1909.13719, section 3.
// AutoAugment   one of 25 sub-policies, each equally likely; then each of its two steps happens with the step's probability. The
//               signs of shear, translate and the enhancing operations are random, rotate is always positive.
//               Draws: the sub-policy; for each step whether it happens, and its sign.
// RandAugment   N operations, one after the other, each one of 14 (all but invert), equally likely and independent, all of
//               strength M: 10 is level 9 of the policies, the line goes on beyond. All signs are random.
//               Draws: for each operation which one, and its sign.
#pragma once
#include <array>
#include <span>
#include <string_view>

#include "data/operation.hpp"
#include "engine/random.hpp"

namespace autodidact::data {

enum class Policy { cifar10, imagenet, svhn };

// "cifar10", "imagenet", "svhn"; anything else: std::invalid_argument with the list.
Policy parse_policy(std::string_view name);
std::string_view policy_name(Policy policy);

struct PolicyStep {
  double probability = 0;
  Operation operation = Operation::identity;
  int level = 0;
};
using SubPolicy = std::array<PolicyStep, 2>;
std::span<const SubPolicy> sub_policies(Policy policy);

// What happens to one picture; a step that does not happen is identity.
std::array<LeveledOperation, 2> draw_auto_augment(Policy policy, engine::Random& random);

struct RandAugment {
  int count = 2;         // N, 0 … 16
  double magnitude = 9;  // M, 0 … 30
  bool operator==(const RandAugment&) const = default;
};
// "N,M". std::invalid_argument where it is not two numbers in range.
RandAugment parse_rand_augment(std::string_view text);

// One of the N.
LeveledOperation draw_rand_augment(double magnitude, engine::Random& random);

}  // namespace autodidact::data
