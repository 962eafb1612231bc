#include "data/policy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <stdexcept>
#include <string>

namespace autodidact::data {

namespace {

using enum Operation;

constexpr std::array<SubPolicy, 25> kCifar10 = {{
    {{{0.1, invert, 7}, {0.2, contrast, 6}}},
    {{{0.7, rotate, 2}, {0.3, translate_x, 9}}},
    {{{0.8, sharpness, 1}, {0.9, sharpness, 3}}},
    {{{0.5, shear_y, 8}, {0.7, translate_y, 9}}},
    {{{0.5, autocontrast, 8}, {0.9, equalize, 2}}},
    {{{0.2, shear_y, 7}, {0.3, posterize, 7}}},
    {{{0.4, color, 3}, {0.6, brightness, 7}}},
    {{{0.3, sharpness, 9}, {0.7, brightness, 9}}},
    {{{0.6, equalize, 5}, {0.5, equalize, 1}}},
    {{{0.6, contrast, 7}, {0.6, sharpness, 5}}},
    {{{0.7, color, 7}, {0.5, translate_x, 8}}},
    {{{0.3, equalize, 7}, {0.4, autocontrast, 8}}},
    {{{0.4, translate_y, 3}, {0.2, sharpness, 6}}},
    {{{0.9, brightness, 6}, {0.2, color, 8}}},
    {{{0.5, solarize, 2}, {0, invert, 3}}},
    {{{0.2, equalize, 0}, {0.6, autocontrast, 0}}},
    {{{0.2, equalize, 8}, {0.6, equalize, 4}}},
    {{{0.9, color, 9}, {0.6, equalize, 6}}},
    {{{0.8, autocontrast, 4}, {0.2, solarize, 8}}},
    {{{0.1, brightness, 3}, {0.7, color, 0}}},
    {{{0.4, solarize, 5}, {0.9, autocontrast, 3}}},
    {{{0.9, translate_y, 9}, {0.7, translate_y, 9}}},
    {{{0.9, autocontrast, 2}, {0.8, solarize, 3}}},
    {{{0.8, equalize, 8}, {0.1, invert, 3}}},
    {{{0.7, translate_y, 9}, {0.9, autocontrast, 1}}},
}};

constexpr std::array<SubPolicy, 25> kImagenet = {{
    {{{0.4, posterize, 8}, {0.6, rotate, 9}}},  {{{0.6, solarize, 5}, {0.6, autocontrast, 5}}},
    {{{0.8, equalize, 8}, {0.6, equalize, 3}}}, {{{0.6, posterize, 7}, {0.6, posterize, 6}}},
    {{{0.4, equalize, 7}, {0.2, solarize, 4}}}, {{{0.4, equalize, 4}, {0.8, rotate, 8}}},
    {{{0.6, solarize, 3}, {0.6, equalize, 7}}}, {{{0.8, posterize, 5}, {1, equalize, 2}}},
    {{{0.2, rotate, 3}, {0.6, solarize, 8}}},   {{{0.6, equalize, 8}, {0.4, posterize, 6}}},
    {{{0.8, rotate, 8}, {0.4, color, 0}}},      {{{0.4, rotate, 9}, {0.6, equalize, 2}}},
    {{{0, equalize, 7}, {0.8, equalize, 8}}},   {{{0.6, invert, 4}, {1, equalize, 8}}},
    {{{0.6, color, 4}, {1, contrast, 8}}},      {{{0.8, rotate, 8}, {1, color, 2}}},
    {{{0.8, color, 8}, {0.8, solarize, 7}}},    {{{0.4, sharpness, 7}, {0.6, invert, 8}}},
    {{{0.6, shear_x, 5}, {1, equalize, 9}}},    {{{0.4, color, 0}, {0.6, equalize, 3}}},
    {{{0.4, equalize, 7}, {0.2, solarize, 4}}}, {{{0.6, solarize, 5}, {0.6, autocontrast, 5}}},
    {{{0.6, invert, 4}, {1, equalize, 8}}},     {{{0.6, color, 4}, {1, contrast, 8}}},
    {{{0.8, equalize, 8}, {0.6, equalize, 3}}},
}};

constexpr std::array<SubPolicy, 25> kSvhn = {{
    {{{0.9, shear_x, 4}, {0.2, invert, 3}}},       {{{0.9, shear_y, 8}, {0.7, invert, 5}}},
    {{{0.6, equalize, 5}, {0.6, solarize, 6}}},    {{{0.9, invert, 3}, {0.6, equalize, 3}}},
    {{{0.6, equalize, 1}, {0.9, rotate, 3}}},      {{{0.9, shear_x, 4}, {0.8, autocontrast, 3}}},
    {{{0.9, shear_y, 8}, {0.4, invert, 5}}},       {{{0.9, shear_y, 5}, {0.2, solarize, 6}}},
    {{{0.9, invert, 6}, {0.8, autocontrast, 1}}},  {{{0.6, equalize, 3}, {0.9, rotate, 3}}},
    {{{0.9, shear_x, 4}, {0.3, solarize, 3}}},     {{{0.8, shear_y, 8}, {0.7, invert, 4}}},
    {{{0.9, equalize, 5}, {0.6, translate_y, 6}}}, {{{0.9, invert, 4}, {0.6, equalize, 7}}},
    {{{0.3, contrast, 3}, {0.8, rotate, 4}}},      {{{0.8, invert, 5}, {0, translate_y, 2}}},
    {{{0.7, shear_y, 6}, {0.4, solarize, 8}}},     {{{0.6, invert, 4}, {0.8, rotate, 4}}},
    {{{0.3, shear_y, 7}, {0.9, translate_x, 3}}},  {{{0.1, shear_x, 6}, {0.6, invert, 5}}},
    {{{0.7, solarize, 2}, {0.6, translate_y, 7}}}, {{{0.8, shear_y, 4}, {0.8, invert, 8}}},
    {{{0.7, shear_x, 9}, {0.8, translate_y, 3}}},  {{{0.8, shear_y, 5}, {0.7, autocontrast, 3}}},
    {{{0.7, shear_x, 2}, {0.1, invert, 5}}},
}};

constexpr std::array<Operation, 14> kRandAugment = {
    identity, autocontrast, equalize,  rotate,  solarize, color,       posterize,
    contrast, brightness,   sharpness, shear_x, shear_y,  translate_x, translate_y};

constexpr std::array<std::string_view, 3> kNames = {"cifar10", "imagenet", "svhn"};

constexpr int kMostOperations = 16;
constexpr double kMostMagnitude = 30;
constexpr double kLevelsPerMagnitude = kMaxLevel / 10;

double sign(engine::Random& random) { return random.below(2) == 0 ? 1 : -1; }

template <typename T>
bool parse_whole(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

Policy parse_policy(std::string_view name) {
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found != kNames.end()) return static_cast<Policy>(found - kNames.begin());
  throw std::invalid_argument(fmt::format(
      "unknown AutoAugment policy \"{}\", expected one of cifar10, imagenet, svhn", name));
}

std::string_view policy_name(Policy policy) { return kNames[static_cast<std::size_t>(policy)]; }

std::span<const SubPolicy> sub_policies(Policy policy) {
  switch (policy) {
    case Policy::cifar10:
      return kCifar10;
    case Policy::imagenet:
      return kImagenet;
    case Policy::svhn:
      return kSvhn;
  }
  return {};
}

std::array<LeveledOperation, 2> draw_auto_augment(Policy policy, engine::Random& random) {
  const auto all = sub_policies(policy);
  const SubPolicy& drawn = all[random.below(all.size())];
  std::array<LeveledOperation, 2> operations;
  for (std::size_t i = 0; i < drawn.size(); ++i) {
    const PolicyStep& step = drawn[i];
    const bool happens = random.chance(step.probability);
    const double direction = sign(random);
    if (!happens) continue;
    const bool is_signed = level_use(step.operation) == LevelUse::sign && step.operation != rotate;
    operations[i] = {step.operation, is_signed ? direction * step.level : step.level};
  }
  return operations;
}

RandAugment parse_rand_augment(std::string_view text) {
  const std::size_t comma = text.find(',');
  RandAugment options;
  if (comma != std::string_view::npos && parse_whole(text.substr(0, comma), options.count) &&
      parse_whole(text.substr(comma + 1), options.magnitude) && options.count >= 0 &&
      options.count <= kMostOperations && options.magnitude >= 0 &&
      options.magnitude <= kMostMagnitude) {
    return options;
  }
  throw std::invalid_argument(
      fmt::format("randaugment:N,M takes N from 0 to {} and M from 0 to {}, got \"{}\"",
                  kMostOperations, kMostMagnitude, text));
}

LeveledOperation draw_rand_augment(double magnitude, engine::Random& random) {
  const Operation operation = kRandAugment[random.below(kRandAugment.size())];
  const double direction = sign(random), level = kLevelsPerMagnitude * magnitude;
  return {operation, level_use(operation) == LevelUse::sign ? direction * level : level};
}

}  // namespace autodidact::data
