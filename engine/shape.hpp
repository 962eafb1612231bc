// engine/shape.hpp: how big a value is, what it means, how it is stored and how it lies in memory.
//
// A Value of the Graph has a Shape and a Role; compile turns the role and the precision of a program into a DType, and
// chooses the Format. A Format is one of a closed set, N × ⌈C/b⌉ × H × W × b:
//     b = 1: nchw ("plain")     b = 8, 16: nChw8c, nChw16c     b = C: nhwc
// The batch is always outermost. When b does not divide C the channels of the last block beyond C hold zeros: keeping
// them zero is the duty of everyone who writes a tensor.
#pragma once
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace autodidact::engine {

enum class DType : std::uint8_t { f64, f32, bf16, s32, u8 };
std::size_t bytes_of(DType type);
const char* name_of(DType type);

// activation: a tensor per sample · parameter: learned · statistic: running mean, variance · scalar: shape []
// label: class index per sample
enum class Role : std::uint8_t { activation, parameter, statistic, scalar, label };

// The number type that a program computes in.
enum class Precision : std::uint8_t { reference_f64, f32, bf16 };

const char* name_of(Precision precision);  // "f32"

// Under reference_f64 everything, labels too, is a double, so that a reference op reads one type only. Under bf16 the planes
// (N,C,H,W) are bf16, nearly all of the memory and of the work; what has no planes (features behind the pool, logits, losses) and
// what is learned stays f32.
constexpr DType storage(Role role, Precision precision, int rank) {
  if (precision == Precision::reference_f64) return DType::f64;
  if (role == Role::label) return DType::s32;
  if (role == Role::activation && precision == Precision::bf16 && rank == 4) return DType::bf16;
  return DType::f32;
}

// Up to five extents; rank 0 is a scalar and has one element.
class Shape {
 public:
  static constexpr int kMaxRank = 5;
  Shape() = default;
  Shape(std::initializer_list<std::int64_t> extents);
  explicit Shape(std::span<const std::int64_t> extents);

  int rank() const { return rank_; }
  std::int64_t operator[](int axis) const { return extents_[static_cast<std::size_t>(axis)]; }
  std::int64_t count() const;
  std::string text() const;  // "(128,64,32,32)"
  auto operator<=>(const Shape&) const = default;

 private:
  std::array<std::int64_t, kMaxRank> extents_{};
  int rank_ = 0;
};

struct Format {
  std::int64_t block = 1;
  auto operator<=>(const Format&) const = default;
};

// A Shape with a number type and a layout. Only rank-4 values (N,C,H,W) have a format other than plain.
struct TensorType {
  Shape shape;
  DType dtype = DType::f32;
  Format format;

  std::int64_t channel_blocks() const;     // ⌈C/b⌉; 1 unless rank 4
  std::int64_t elements() const;           // with the padded channels
  std::size_t bytes() const;               // likewise
  std::string layout_text() const;         // "nChw16c", "nhwc", "plain"
  auto operator<=>(const TensorType&) const = default;
};

// Bytes that every piece of memory is aligned to: one cache line, one AVX-512 register.
inline constexpr std::size_t kAlignment = 64;
constexpr std::size_t aligned(std::size_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}
}  // namespace autodidact::engine
