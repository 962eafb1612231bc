#include "engine/op.hpp"

#include <fmt/format.h>

#include <stdexcept>

namespace autodidact::engine {

const char* name_of(Pass pass) {
  switch (pass) {
    case Pass::forward: return "forward";
    case Pass::backward: return "backward";
    case Pass::backward_data: return "backward_data";
    case Pass::backward_weights: return "backward_weights";
    case Pass::commit: return "commit";
    case Pass::recompute: return "recompute";
  }
  return "?";
}

TensorType Query::type(const Shape& shape, std::int64_t block) const {
  const DType dtype = storage(Role::activation, precision, shape.rank());
  if (shape.rank() != 4) return {shape, dtype, {}};
  return {shape, dtype, {block == kChannelsLast ? shape[1] : block}};
}

void refuse(std::string_view kind, std::string_view node, std::string_view sentence) {
  throw std::invalid_argument(fmt::format("[{} {}] {}", kind, node, sentence));
}

void require(bool condition, std::string_view kind, std::string_view node,
             std::string_view sentence) {
  if (!condition) refuse(kind, node, sentence);
}
}  // namespace autodidact::engine
