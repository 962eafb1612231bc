// ops/winograd.hpp: sums of sliding products along one axis with fewer multiplications than the sums have terms.
//
// Source    Winograd 1980, "Arithmetic Complexity of Computations", §IV; Lavin & Gray 2016, arXiv:1509.09308, §4 (two axes: the scheme
//           along one, then along the other); Huang et al. 2020, "DWM: A Decomposable Winograd Method" (strides: even and odd apart).
// Symbols   d : window of the input     w : the filter's 3 taps     y : 4 outputs     ⊙ : slot by slot
//
//     y = Aᵀ·[(G·w) ⊙ (Bᵀ·d)]
//
// F(4,r) evaluates the polynomials that have d and w as coefficients at 3 + r points, multiplies there, and reads y off the product. The
// points are 0 (r = 3 only), ±a, ±b and ∞ with a = 2/3, b = 3/2. Of those with a·b = 1, which spares products, these round best: tried in f32 on
// 64 channels of normal numbers, the error is 1.8 times the direct sum's; with ±1 and ±2, the points of the paper, 4.1 times.
//
//     scheme          what is computed                           window  slots  outputs  products for each output, on both axes
//     Dense           y[i]  = w0·d[i] + w1·d[i+1] + w2·d[i+2]         6      6        4   2.25 of 9        F(4,3)
//     Strided         y[i]  = w0·d[2i] + w1·d[2i+1] + w2·d[2i+2]      9    5+4        4   5.06 of 9        F(4,2) of the even d with (w0,w2), and w1·d
//     StridedBack     y[2i] = w1·d[i],  y[2i+1] = w0·d[i] + w2·d[i+1]       5    5+4        8   1.27 of 2.25                  likewise
//
// dx of a convolution is one of dy with the filter turned, taps from last to first: by Dense where the stride is 1, else by StridedBack.
//
// Each scheme has: analyse = Bᵀ, synthesise = Aᵀ, filter = G, and for the gradient of w, which is Gᵀ·[(A·dy) ⊙ (Bᵀ·d)], spread = A and
// gather = Gᵀ. `filter_of` names the filter value that a slot is multiplied with: the four slots of w1 share one.
#pragma once
#include <array>

namespace autodidact::ops::winograd {

inline constexpr float kA = 2.0F / 3, kB = 3.0F / 2;
inline constexpr float kA2 = kA * kA, kB2 = kB * kB, kA3 = kA2 * kA, kB3 = kB2 * kB;
inline constexpr float kSum = kA2 + kB2, kGap = kA2 - kB2;  // of (x²−a²)·(x²−b²) = x⁴ − kSum·x² + 1

// F(4,2) at ±a, ±b and ∞: five slots. V is a number or a vector of numbers.
struct TwoTaps {
  template <class V>
  static void analyse(const V* d, V* v) {
    const V even = d[3] - kB2 * d[1], odd = kA * d[2] - kB * d[0];
    const V even_b = d[3] - kA2 * d[1], odd_b = kB * d[2] - kA * d[0];
    v[0] = even + odd, v[1] = even - odd;
    v[2] = even_b + odd_b, v[3] = even_b - odd_b;
    v[4] = d[4] - kSum * d[2] + d[0];
  }
  template <class V>
  static void synthesise(const V* m, V* y) {
    const V sum = m[0] + m[1], difference = m[0] - m[1], sum_b = m[2] + m[3], difference_b = m[2] - m[3];
    y[0] = sum + sum_b;
    y[1] = kA * difference + kB * difference_b;
    y[2] = kA2 * sum + kB2 * sum_b;
    y[3] = kA3 * difference + kB3 * difference_b + m[4];
  }
  template <class V>
  static void spread(const V* y, V* m) {
    const V even = y[0] + kA2 * y[2], odd = kA * y[1] + kA3 * y[3];
    const V even_b = y[0] + kB2 * y[2], odd_b = kB * y[1] + kB3 * y[3];
    m[0] = even + odd, m[1] = even - odd;
    m[2] = even_b + odd_b, m[3] = even_b - odd_b;
    m[4] = y[3];
  }
  template <class V>
  static void filter(const V& first, const V& second, V* u) {
    constexpr float kNormA = 1 / (2 * kA * kGap), kNormB = -1 / (2 * kB * kGap);
    u[0] = kNormA * (first + kA * second), u[1] = kNormA * (kA * second - first);
    u[2] = kNormB * (first + kB * second), u[3] = kNormB * (kB * second - first);
    u[4] = second;
  }
  template <class V>
  static void gather(const V* u, V& first, V& second) {
    constexpr float kNormA = 1 / (2 * kA * kGap), kNormB = -1 / (2 * kB * kGap);
    first = kNormA * (u[0] - u[1]) + kNormB * (u[2] - u[3]);
    second = kNormA * kA * (u[0] + u[1]) + kNormB * kB * (u[2] + u[3]) + u[4];
  }
};

struct Dense {
  static constexpr int kWindow = 6, kSlots = 6, kOutputs = 4, kFilters = 6;
  static constexpr int kWindowStep = 4;  // from one window to the next
  static constexpr int filter_of(int slot) { return slot; }

  // At 0, then as with two taps, a place further: F(4,3)'s polynomials are those of F(4,2) times x.
  template <class V>
  static void analyse(const V* d, V* v) {
    v[0] = d[0] - kSum * d[2] + d[4];
    TwoTaps::analyse(d + 1, v + 1);
  }
  template <class V>
  static void synthesise(const V* m, V* y) {
    TwoTaps::synthesise(m + 1, y);
    y[0] += m[0];
  }
  template <class V>
  static void spread(const V* y, V* m) {
    m[0] = y[0];
    TwoTaps::spread(y, m + 1);
  }
  template <class V>
  static void filter(const V* w, V* u) {
    constexpr float kNormA = 1 / (2 * kA2 * kGap), kNormB = -1 / (2 * kB2 * kGap);
    const V even = w[0] + kA2 * w[2], odd = kA * w[1], even_b = w[0] + kB2 * w[2], odd_b = kB * w[1];
    u[0] = w[0];
    u[1] = kNormA * (even + odd), u[2] = kNormA * (even - odd);
    u[3] = kNormB * (even_b + odd_b), u[4] = kNormB * (even_b - odd_b);
    u[5] = w[2];
  }
  template <class V>
  static void gather(const V* u, V* w) {
    constexpr float kNormA = 1 / (2 * kA2 * kGap), kNormB = -1 / (2 * kB2 * kGap);
    const V sum = kNormA * (u[1] + u[2]), sum_b = kNormB * (u[3] + u[4]);
    w[0] = u[0] + sum + sum_b;
    w[1] = kNormA * kA * (u[1] - u[2]) + kNormB * kB * (u[3] - u[4]);
    w[2] = kA2 * sum + kB2 * sum_b + u[5];
  }
};

struct Strided {
  static constexpr int kWindow = 9, kSlots = 9, kOutputs = 4, kFilters = 6;
  static constexpr int kWindowStep = 8;
  static constexpr int filter_of(int slot) { return slot < 5 ? slot : 5; }

  template <class V>
  static void analyse(const V* d, V* v) {
    const V even[5] = {d[0], d[2], d[4], d[6], d[8]};
    TwoTaps::analyse(even, v);
    for (int i = 0; i < 4; ++i) v[5 + i] = d[2 * i + 1];
  }
  template <class V>
  static void synthesise(const V* m, V* y) {
    TwoTaps::synthesise(m, y);
    for (int i = 0; i < 4; ++i) y[i] += m[5 + i];
  }
  template <class V>
  static void spread(const V* y, V* m) {
    TwoTaps::spread(y, m);
    for (int i = 0; i < 4; ++i) m[5 + i] = y[i];
  }
  template <class V>
  static void filter(const V* w, V* u) {
    TwoTaps::filter(w[0], w[2], u);
    u[5] = w[1];
  }
  template <class V>
  static void gather(const V* u, V* w) {
    TwoTaps::gather(u, w[0], w[2]);
    w[1] = u[5];
  }
};

struct StridedBack {
  static constexpr int kWindow = 5, kSlots = 9, kOutputs = 8, kFilters = 6;
  static constexpr int kWindowStep = 4;
  static constexpr int filter_of(int slot) { return Strided::filter_of(slot); }

  template <class V>
  static void analyse(const V* d, V* v) {
    TwoTaps::analyse(d, v);
    for (int i = 0; i < 4; ++i) v[5 + i] = d[i];
  }
  template <class V>
  static void synthesise(const V* m, V* y) {
    V odd[4];
    TwoTaps::synthesise(m, odd);
    for (int i = 0; i < 4; ++i) y[2 * i] = m[5 + i], y[2 * i + 1] = odd[i];
  }
  template <class V>
  static void filter(const V* w, V* u) {
    Strided::filter(w, u);
  }
};
}  // namespace autodidact::ops::winograd
