#include "ops/winograd.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <vector>

#include "engine/random.hpp"

namespace {
using namespace autodidact::ops::winograd;
using Numbers = std::vector<double>;

// The constants are f32: what should be equal in f64 is so to their rounding.
constexpr double kTolerance = 1e-5;

Numbers some(int count) {
  static autodidact::engine::Random random(1, autodidact::engine::Purpose::probe);
  Numbers numbers;
  for (int i = 0; i < count; ++i) numbers.push_back(random.normal());
  return numbers;
}

double dot(const Numbers& a, const Numbers& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// y of one window by the scheme.
template <class Scheme>
Numbers filtered(const Numbers& d, const Numbers& w) {
  Numbers v(Scheme::kSlots), u(Scheme::kFilters), y(Scheme::kOutputs);
  Scheme::analyse(d.data(), v.data());
  Scheme::filter(w.data(), u.data());
  for (int s = 0; s < Scheme::kSlots; ++s) v[s] *= u[Scheme::filter_of(s)];
  Scheme::synthesise(v.data(), y.data());
  return y;
}

void check_close(const Numbers& a, const Numbers& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(std::abs(a[i] - b[i]) <= kTolerance);
}

template <class Scheme>
void check_sums(const std::function<double(const Numbers& d, const Numbers& w, int i)>& direct) {
  for (int trial = 0; trial < 10; ++trial) {
    const Numbers d = some(Scheme::kWindow), w = some(3);
    Numbers expected;
    for (int i = 0; i < Scheme::kOutputs; ++i) expected.push_back(direct(d, w, i));
    check_close(filtered<Scheme>(d, w), expected);
  }
}

// spread and gather are what the gradient of w needs: y·(Aᵀm) = (A·y)·m and u·(G·w) = (Gᵀu)·w.
template <class Scheme>
void check_transposes() {
  const Numbers m = some(Scheme::kSlots), dy = some(Scheme::kOutputs), w = some(3), du = some(Scheme::kFilters);
  Numbers y(Scheme::kOutputs), spread(Scheme::kSlots), u(Scheme::kFilters), dw(3);
  Scheme::synthesise(m.data(), y.data());
  Scheme::spread(dy.data(), spread.data());
  CHECK(std::abs(dot(y, dy) - dot(spread, m)) <= kTolerance);
  Scheme::filter(w.data(), u.data());
  Scheme::gather(du.data(), dw.data());
  CHECK(std::abs(dot(u, du) - dot(dw, w)) <= kTolerance);
}
}  // namespace

TEST_CASE("winograd: each scheme gives the sums that it stands for") {
  check_sums<Dense>([](const Numbers& d, const Numbers& w, int i) { return w[0] * d[i] + w[1] * d[i + 1] + w[2] * d[i + 2]; });
  check_sums<Strided>([](const Numbers& d, const Numbers& w, int i) { return w[0] * d[2 * i] + w[1] * d[2 * i + 1] + w[2] * d[2 * i + 2]; });
  check_sums<StridedBack>([](const Numbers& d, const Numbers& w, int i) {
    return i % 2 == 0 ? w[1] * d[i / 2] : w[0] * d[i / 2] + w[2] * d[i / 2 + 1];
  });
}

TEST_CASE("winograd: spread and gather are the transposes of synthesise and filter") {
  check_transposes<Dense>();
  check_transposes<Strided>();
}
