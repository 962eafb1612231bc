// engine/compile/wiring.hpp: gives every operand of an emitted task its buffer, and adds the tasks that the engine itself
// contributes: reorders, sums of gradients, packs. Internal to engine/compile.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "engine/compile/draft.hpp"
#include "engine/compile/emission.hpp"

namespace autodidact::engine::compile_passes {

class Wiring {
 public:
  explicit Wiring(Draft& draft);

  // What is known so far.
  std::optional<TensorType> type_of(ValueId value) const;  // where it lies; empty: not produced yet
  int summands(ValueId value) const;                       // gradients written for it so far
  const std::string& keeps_key(NodeId node) const;
  // What the forward candidate of this step's node keeps; for a forward step the candidate is `candidate` itself.
  const std::vector<TensorType>& keeps(const Step& step, const Candidate& candidate) const;
  // Bytes that would have to be reordered if the candidate were chosen.
  std::size_t reorder_bytes(const Step& step, const Query& query, const Candidate& candidate) const;

  // Adds the tasks of the chosen candidate. Call it in the lane of the step's branch.
  void add(const Step& step, const Query& query, const Candidate& candidate, Emission emission);
  // Adds the one task of the reference backend.
  void add_reference(const Step& step);
  // After the last step: outputs and gradients that the caller asked for.
  void finish();

 private:
  struct Chosen {  // of a node's forward pass
    std::string key;
    std::vector<TensorType> keep_types;
    std::vector<int> keep_buffers;
    std::shared_ptr<const Query> query;
    std::shared_ptr<const Candidate> candidate;
  };
  struct Current {  // the step that is being wired
    const Step& step;
    const Node& node;
    const Query* query;
    const Candidate* candidate;
    int branch;
    std::vector<int> temporaries, packs;
  };

  int new_buffer(std::string name, TensorType type, Place place = {});
  int new_blob(std::string name, std::size_t bytes, Place place = {});
  int slot_buffer(const Value& value, Region region);
  int input_buffer(const std::string& name, TensorType type);
  int& base(ValueId value) { return base_[static_cast<std::size_t>(value.index)]; }
  int base(ValueId value) const { return base_[static_cast<std::size_t>(value.index)]; }
  std::vector<int>& gradients(ValueId value) { return gradients_[static_cast<std::size_t>(value.index)]; }
  TensorType plain_type(ValueId value) const;
  TensorType input_type(ValueId value) const;
  TensorType wanted_type(const Current& now, Operand operand) const;

  int gradient_as(ValueId value, int summand, const TensorType& type, int branch);
  int summed_gradient(ValueId value, const TensorType& type, int branch);
  void sum_early(const Step& step, int branch);
  // For a reader of that pass, where `branch` has no such copy yet.
  int reordered(int buffer, const TensorType& type, int branch, Pass pass);
  // Where the task may read a value of the graph. In backward, what forward dropped is made again for its first reader, and so is what
  // that needs in turn.
  int available(const Current& now, ValueId value);
  bool is_cheap(const Node& node, const Candidate& candidate) const;
  int chain_before(const Node& node) const;
  void decide_dropping(const Node& node, const Candidate& candidate);
  void recompute(ValueId value, int branch);
  int read(Current& now, Operand operand);
  int written(Current& now, Operand operand);
  int new_gradient(ValueId value, const TensorType& type);
  void add_packs(Current& now, Emission& emission);
  void push(const Current& now, std::string suffix, std::vector<int> reads, std::vector<int> writes,
            Kernel kernel, std::size_t scratch_bytes, bool pack);
  Task describe(const Node& node, Pass pass, std::string suffix, int branch) const;

  Draft& draft_;
  std::vector<int> base_;                      // per value: buffer, -1 before it is produced
  std::vector<std::vector<int>> gradients_;    // per value: summands
  std::vector<int> writers_;                   // per value: how many steps write its gradient
  std::map<std::tuple<int, TensorType, int>, int> copies_;  // (buffer, type, branch) → reordered buffer
  std::vector<Chosen> chosen_;                 // per node
  std::vector<bool> private_;                  // per value: read in the branch that makes it only, and not by the caller
  std::vector<bool> dropped_;                  // per value: not kept for backward, and not yet made again
  std::vector<int> chain_;                     // per value: how many cheap values lie in a row up to it, itself included
  std::vector<ValueId>* sweep_ = nullptr;      // what the recomputation that is being wired has made again so far
  std::map<std::string, int> packed_;          // parameters, key, branch → buffer
};
}  // namespace autodidact::engine::compile_passes
