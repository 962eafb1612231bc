// engine/communicator.hpp: what crosses ranks. Alone, a sum over ranks is the identity.
#pragma once
#include <span>

namespace autodidact::engine {

class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  // Replaces each number by its sum over all ranks, added in rank order: the same bits everywhere. All ranks call it equally often, in
  // the same order and with equally many numbers, from one thread at a time.
  virtual void sum(std::span<double> numbers) = 0;
};

// The communicator of a single process.
Communicator& alone();
}  // namespace autodidact::engine
