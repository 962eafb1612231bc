#include "engine/communicator.hpp"

namespace autodidact::engine {
namespace {

class Alone final : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void sum(std::span<double>) override {}
};
}  // namespace

Communicator& alone() {
  static Alone communicator;
  return communicator;
}
}  // namespace autodidact::engine
