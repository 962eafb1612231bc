#include "data/policy.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <map>

using namespace autodidact::data;
using autodidact::engine::Purpose;
using autodidact::engine::Random;

namespace {

// Number `number` of the paper's table, counted from 1, as "probability operation level".
void check_entry(Policy policy, std::size_t number, PolicyStep first, PolicyStep second) {
  const SubPolicy& entry = sub_policies(policy)[number - 1];
  const PolicyStep expected[] = {first, second};
  for (std::size_t i = 0; i < 2; ++i) {
    CAPTURE(number);
    CHECK(entry[i].probability == expected[i].probability);
    CHECK(entry[i].operation == expected[i].operation);
    CHECK(entry[i].level == expected[i].level);
  }
}

std::map<Operation, int> count_operations(Policy policy) {
  std::map<Operation, int> counts;
  for (const SubPolicy& entry : sub_policies(policy)) {
    for (const PolicyStep& step : entry) ++counts[step.operation];
  }
  return counts;
}

double sum_of_levels_and_probabilities(Policy policy) {
  double sum = 0;
  for (const SubPolicy& entry : sub_policies(policy)) {
    for (const PolicyStep& step : entry) sum += step.level + step.probability;
  }
  return sum;
}

}  // namespace

TEST_CASE("AutoAugment's tables have 25 entries each, of the published operations") {
  using enum Operation;
  for (const Policy policy : {Policy::cifar10, Policy::imagenet, Policy::svhn}) {
    CHECK(sub_policies(policy).size() == 25);
    for (const SubPolicy& entry : sub_policies(policy)) {
      for (const PolicyStep& step : entry) {
        CHECK((step.level >= 0 && step.level <= 9));
        CHECK((step.probability >= 0 && step.probability <= 1));
      }
    }
    CHECK(parse_policy(policy_name(policy)) == policy);
  }
  // Counted in the published tables; of ImageNet's, 21 … 25 repeat 5, 2, 14, 15 and 3.
  using Counts = std::map<Operation, int>;
  const Counts cifar10 = {{equalize, 9}, {autocontrast, 7}, {sharpness, 5}, {translate_y, 5},
                          {color, 5},    {brightness, 4},   {solarize, 4},  {invert, 3},
                          {contrast, 2}, {translate_x, 2},  {shear_y, 2},   {rotate, 1},
                          {posterize, 1}};
  const Counts imagenet = {{equalize, 17}, {solarize, 7}, {rotate, 6},       {color, 6},
                           {posterize, 5}, {invert, 3},   {autocontrast, 2}, {contrast, 2},
                           {sharpness, 1}, {shear_x, 1}};
  const Counts svhn = {{invert, 12},  {shear_y, 8},    {shear_x, 6},     {equalize, 6},
                       {solarize, 5}, {rotate, 4},     {translate_y, 4}, {autocontrast, 3},
                       {contrast, 1}, {translate_x, 1}};
  CHECK((count_operations(Policy::cifar10) == cifar10));
  CHECK((count_operations(Policy::imagenet) == imagenet));
  CHECK((count_operations(Policy::svhn) == svhn));
  CHECK(sum_of_levels_and_probabilities(Policy::cifar10) == doctest::Approx(293.5));
  CHECK(sum_of_levels_and_probabilities(Policy::imagenet) == doctest::Approx(318.0));
  CHECK(sum_of_levels_and_probabilities(Policy::svhn) == doctest::Approx(263.9));
}

TEST_CASE("entries of AutoAugment's tables") {
  using enum Operation;
  check_entry(Policy::cifar10, 1, {.1, invert, 7}, {.2, contrast, 6});
  check_entry(Policy::cifar10, 15, {.5, solarize, 2}, {0, invert, 3});
  check_entry(Policy::cifar10, 22, {.9, translate_y, 9}, {.7, translate_y, 9});
  check_entry(Policy::cifar10, 25, {.7, translate_y, 9}, {.9, autocontrast, 1});
  check_entry(Policy::imagenet, 1, {.4, posterize, 8}, {.6, rotate, 9});
  check_entry(Policy::imagenet, 13, {0, equalize, 7}, {.8, equalize, 8});
  check_entry(Policy::imagenet, 25, {.8, equalize, 8}, {.6, equalize, 3});  // = 3
  check_entry(Policy::imagenet, 21, {.4, equalize, 7}, {.2, solarize, 4});  // = 5
  check_entry(Policy::svhn, 1, {.9, shear_x, 4}, {.2, invert, 3});
  check_entry(Policy::svhn, 16, {.8, invert, 5}, {0, translate_y, 2});
  check_entry(Policy::svhn, 25, {.7, shear_x, 2}, {.1, invert, 5});
}

TEST_CASE("AutoAugment draws sub-policies evenly, steps by their probability, signs evenly") {
  constexpr int kDraws = 50000;
  int contrast_6 = 0, down = 0, up = 0, rotations = 0, negative_rotations = 0, translate_x = 0;
  for (std::uint64_t sample = 0; sample < kDraws; ++sample) {
    Random random(1, Purpose::augmentation, 0, sample);
    for (const auto& [operation, level] : draw_auto_augment(Policy::cifar10, random)) {
      contrast_6 += operation == Operation::contrast && std::abs(level) == 6;
      translate_x += operation == Operation::translate_x;
      rotations += operation == Operation::rotate;
      negative_rotations += operation == Operation::rotate && level < 0;
      if (operation != Operation::translate_y) continue;
      (level < 0 ? up : down) += 1;
    }
  }
  // Four standard deviations of a binomial count.
  const auto near = [](int count, double expected) {
    return std::abs(count - expected) < 4 * std::sqrt(expected);
  };
  CHECK(near(contrast_6, kDraws * .2 / 25));
  CHECK(near(translate_x, kDraws * (.3 + .5) / 25));
  CHECK(near(rotations, kDraws * .7 / 25));
  CHECK(negative_rotations == 0);
  CHECK(near(up, kDraws * (.7 + .4 + .9 + .7 + .7) / 50));
  CHECK(near(down, kDraws * (.7 + .4 + .9 + .7 + .7) / 50));
}

TEST_CASE("RandAugment draws 14 operations evenly, with one strength and both signs") {
  constexpr int kDraws = 28000;
  std::map<Operation, int> counts;
  int negative_rotations = 0;
  for (std::uint64_t sample = 0; sample < kDraws; ++sample) {
    Random random(1, Purpose::augmentation, 0, sample);
    const auto [operation, level] = draw_rand_augment(10, random);
    ++counts[operation];
    negative_rotations += operation == Operation::rotate && level < 0;
    CHECK(std::abs(level) == (level_use(operation) == LevelUse::none ? std::abs(level) : 9));
  }
  CHECK(counts.size() == 14);
  CHECK(!counts.contains(Operation::invert));
  double chi_squared = 0;
  for (const auto& [operation, count] : counts) {
    chi_squared += std::pow(count - kDraws / 14.0, 2) / (kDraws / 14.0);
  }
  CHECK(chi_squared < 46);  // 13 degrees of freedom: exceeded with probability 1e-5
  CHECK(std::abs(negative_rotations - kDraws / 28.0) < 4 * std::sqrt(kDraws / 28.0));
}
