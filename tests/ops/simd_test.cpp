#include "ops/simd.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace {
using namespace autodidact;

// What simd.hpp states.
constexpr double kExpError = 1.2e-7, kSigmoidError = 2e-7, kSigmoidAbsoluteError = 1e-7;

// As the kernels call them, so in code of this CPU's highest level; the calls in the tests are the lowest.
AUTODIDACT_KERNEL void exponentials(const float* x, float* y, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) y[i] = ops::fast_exp(x[i]);
}
AUTODIDACT_KERNEL void sigmoids(const float* x, float* y, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) y[i] = ops::fast_sigmoid(x[i]);
}

// [-87, 88] in steps of 2e-4, and numbers near zero of both signs.
const std::vector<float>& probes() {
  static const std::vector<float> all = [] {
    std::vector<float> x;
    for (std::int64_t i = -435000; i <= 440000; ++i) x.push_back(static_cast<float>(i) * 2e-4F);
    for (float tiny = std::numeric_limits<float>::min(); tiny < 1; tiny *= 1.01F) {
      x.push_back(tiny);
      x.push_back(-tiny);
    }
    for (float& one : x) one = std::clamp(one, -87.0F, 88.0F);
    return x;
  }();
  return all;
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
}  // namespace

TEST_CASE("simd: fast_exp has the relative error that it states, over its whole range") {
  const auto& x = probes();
  std::vector<float> y(x.size());
  exponentials(x.data(), y.data(), static_cast<std::int64_t>(x.size()));
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double exact = std::exp(static_cast<double>(x[i]));
    worst =
        std::max({worst, std::abs(y[i] / exact - 1), std::abs(ops::fast_exp(x[i]) / exact - 1)});
  }
  CHECK(worst < kExpError);
  CHECK(ops::fast_exp(0.0F) == 1.0F);
}

TEST_CASE("simd: fast_exp is clamped beyond its range and lets a NaN through") {
  CHECK(ops::fast_exp(-1e30F) == ops::fast_exp(-87.0F));
  CHECK(ops::fast_exp(std::numeric_limits<float>::infinity()) == ops::fast_exp(88.0F));
  const std::vector<float> x(40, std::numeric_limits<float>::quiet_NaN());
  std::vector<float> y(x.size(), 0.0F);
  exponentials(x.data(), y.data(), static_cast<std::int64_t>(x.size()));
  for (const float one : y) CHECK(std::isnan(one));
}

TEST_CASE("simd: fast_sigmoid has the errors that it states") {
  const auto& x = probes();
  std::vector<float> y(x.size());
  sigmoids(x.data(), y.data(), static_cast<std::int64_t>(x.size()));
  double relative = 0, absolute = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double exact = sigmoid(x[i]);
    for (const double got : {y[i], ops::fast_sigmoid(x[i])}) {
      relative = std::max(relative, std::abs(got / exact - 1));
      absolute = std::max(absolute, std::abs(got - exact));
    }
  }
  CHECK(relative < kSigmoidError);
  CHECK(absolute < kSigmoidAbsoluteError);
  CHECK(ops::fast_sigmoid(1e30F) == 1.0F);
  CHECK(ops::fast_sigmoid(-1e30F) < 1e-38F);
}
