// engine/compile/emission.hpp: collects what a candidate emits, before it gets buffers. Internal to engine/compile.
#pragma once
#include <string>
#include <vector>

#include "engine/communicator.hpp"
#include "engine/op.hpp"

namespace autodidact::engine::compile_passes {

class Emission final : public Emitter {
 public:
  explicit Emission(Communicator& communicator) : communicator_(communicator) {}

  std::vector<EmittedTask> tasks;
  std::vector<std::size_t> temporaries;  // bytes
  std::vector<EmittedPack> packs;

  void task(EmittedTask task) override { tasks.push_back(std::move(task)); }
  Operand temporary(std::size_t bytes) override {
    temporaries.push_back(bytes);
    return {Operand::Kind::temporary, static_cast<int>(temporaries.size()) - 1};
  }
  Operand pack(EmittedPack pack) override {
    packs.push_back(std::move(pack));
    return {Operand::Kind::packed, static_cast<int>(packs.size()) - 1};
  }
  void collective(Operand temporary, std::int64_t count) override {
    Communicator* ranks = &communicator_;
    tasks.push_back({"sum over ranks", {temporary}, {temporary}, 0,
                     [ranks, count](Lane&, const Arguments& a) {
                       ranks->sum({a.write<double>(0), static_cast<std::size_t>(count)});
                     }});
  }

 private:
  Communicator& communicator_;
};

// The type of an operand of a node under a candidate: what the candidate says, or plain with the role's number type.
// `keeps`: of the forward candidate.
TensorType operand_type(const Query& query, const Candidate& candidate,
                        const std::vector<TensorType>& keeps, Operand operand);

// The formats of the operands that it says one of, in its order: "nChw16c nhwc".
std::string formats_text(const Candidate& candidate);
}  // namespace autodidact::engine::compile_passes
