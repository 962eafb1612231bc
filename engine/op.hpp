// engine/op.hpp: the contract between an op and the compiler.
//
// An op says what it is (kind, ports, shapes), what its backward passes write, how the textbook computes each pass in
// f64 (reference), and by which Candidates the fast path can compute it. A candidate emits tasks; what a task reads and
// writes is stated at emission, and the lifetime of every buffer follows from that alone. The engine knows no op by
// name. Docs: docs/design.md "An op"; the rules for an author: ops/README.md.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/graph.hpp"
#include "engine/shape.hpp"
#include "engine/threads.hpp"

namespace autodidact::engine {

enum class Mode : std::uint8_t { train, infer };

// backward: one task for all gradients · backward_data, backward_weights: where they are separate tasks (convolution,
// linear) · commit: new running statistics, written to the staged copy · recompute: an output made once more during backward, so
// that it need not be kept; ops are not asked for it (Candidate::again).
enum class Pass : std::uint8_t { forward, backward, backward_data, backward_weights, commit, recompute };
const char* name_of(Pass pass);

struct Port {
  std::string_view name;
  Role role = Role::activation;
  bool differentiable = true;  // false: detached. Teacher logits, labels, running statistics, temperature.
};

// One tensor that a task touches, seen from its node.
struct Operand {
  enum class Kind : std::uint8_t {
    input,      // of the node
    output,     //
    kept,       // written by forward for backward: the candidate's keeps[index]
    d_output,   // gradient of output; `summand` picks one where the candidate adds several itself
    d_input,    // gradient of input
    staged,     // the staged copy of the running statistic at input `index`
    temporary,  // made by Emitter::temporary, private to this pass
    packed,     // made by Emitter::pack
  } kind = Kind::input;
  int index = 0;
  int summand = 0;
  auto operator<=>(const Operand&) const = default;
};
constexpr Operand in(int i) { return {Operand::Kind::input, i}; }
constexpr Operand out(int i = 0) { return {Operand::Kind::output, i}; }
constexpr Operand kept(int i) { return {Operand::Kind::kept, i}; }
constexpr Operand d_out(int i = 0, int summand = 0) { return {Operand::Kind::d_output, i, summand}; }
constexpr Operand d_in(int i) { return {Operand::Kind::d_input, i}; }
constexpr Operand staged(int i) { return {Operand::Kind::staged, i}; }

// A backward task and the gradients it writes, always with "=". Convolution has two, batch norm one.
struct BackwardTask {
  Pass pass;
  std::vector<Operand> writes;
};

// ---- the fast path -------------------------------------------------------------------------------------------------

// What a kernel receives: the addresses of its reads, its writes and its scratch memory, in the order of emission.
class Arguments {
 public:
  Arguments(void* const* reads, void* const* writes, void* scratch)
      : reads_(reads), writes_(writes), scratch_(scratch) {}
  template <class T = void>
  const T* read(int i) const {
    return static_cast<const T*>(reads_[i]);
  }
  template <class T = void>
  T* write(int i) const {
    return static_cast<T*>(writes_[i]);
  }
  template <class T = void>
  T* scratch() const {
    return static_cast<T*>(scratch_);
  }

 private:
  void* const* reads_;
  void* const* writes_;
  void* scratch_;
};
using Kernel = std::function<void(Lane&, const Arguments&)>;

struct EmittedTask {
  std::string suffix;  // "" or what tells the tasks of one pass apart: "statistics", "normalise"
  std::vector<Operand> reads, writes;
  std::size_t scratch_bytes = 0;
  Kernel kernel;
};

// A copy of parameters, or of what follows from parameters and running statistics, made only when the store has changed.
struct EmittedPack {
  std::vector<Operand> parameters;
  std::string key;  // of the layout: equal (parameters, key) are packed once for all tasks of a lane
  std::size_t bytes = 0, scratch_bytes = 0;
  Kernel kernel;    // reads the parameters, in their order, and writes the copy
};

// Collects the tasks of one pass of one node, in execution order.
class Emitter {
 public:
  virtual ~Emitter() = default;
  virtual void task(EmittedTask task) = 0;
  // A private buffer of this pass; lives from its first writer to its last reader.
  virtual Operand temporary(std::size_t bytes) = 0;
  virtual Operand pack(EmittedPack pack) = 0;
  // As `pack` where the weights stay. Where they change with every run, a task makes it in memory that is free again behind its last reader.
  Operand pack_or_make(bool weights_change, EmittedPack pack) {
    if (!weights_change) return this->pack(std::move(pack));
    const Operand made = temporary(pack.bytes);
    task({"pack", std::move(pack.parameters), {made}, pack.scratch_bytes, std::move(pack.kernel)});
    return made;
  }
  // Sums `count` values of f64 over all ranks, in place, between two tasks.
  virtual void collective(Operand temporary, std::int64_t count) = 0;
};

struct OperandType {
  Operand operand;
  TensorType type;
};

struct Candidate {
  std::string id;              // stable over our versions: "direct", "winograd", "matmul", "own"
  std::string implementation;  // what the library calls it: "jit_wino_4x3:avx512_core"
  std::vector<OperandType> types;  // the type it wants of rank-4 operands; others are plain
  std::string keeps_key;           // a backward candidate must have its forward candidate's key
  std::vector<TensorType> keeps;   // what forward writes for backward
  std::vector<std::pair<Operand, Operand>> in_place;  // (write, read): may share one address
  bool takes_summands = false;                        // reads d_out(0, 0..k-1) and adds them itself
  double products = 0;  // that it multiplies out in f32, one by one: it takes no less time than they do. 0: unknown, or it spares some
  std::function<void(Emitter&)> emit;                 // creates primitives: runs in the lane that will run them
  // Of a forward candidate: writes its output again, bit for bit, from its inputs and what it keeps. Given where that costs about
  // one sweep over memory. Candidates without it that keep nothing are made again by `emit`, at the full price.
  std::function<void(Emitter&)> again = {};
};

// What the compiler asks of an op for one pass of one node.
struct Query {
  const Node& node;
  Pass pass = Pass::forward;
  Mode mode = Mode::train;
  Precision precision = Precision::f32;
  std::vector<Shape> inputs = {}, outputs = {};
  std::vector<bool> needs_gradient = {};     // per input: must its gradient be written? (forward: later?)
  std::vector<std::int64_t> blocks{1};       // channel blocks to offer for rank-4 values; kChannelsLast for b = C
  int d_output_summands = 1;
  int threads = 1;
  int ranks = 1;
  bool weights_change = true;                // from run to run: then packing them belongs to the time of every run
  bool only_direct = false;                  // no Winograd or other algorithm of lesser accuracy
  static constexpr std::int64_t kChannelsLast = 0;

  // The type of a rank-4 activation in one of `blocks`: f32, or bf16 under that precision. Plain f32 for other ranks.
  TensorType type(const Shape& shape, std::int64_t block) const;
};

// ---- the lesson ----------------------------------------------------------------------------------------------------

// A plain, row-major f64 tensor. Null data: this gradient is not wanted.
struct View {
  double* data = nullptr;
  Shape shape;
  explicit operator bool() const { return data != nullptr; }
  double& operator()() const { return data[0]; }
  double& operator()(std::int64_t i) const { return data[i]; }
  double& operator()(std::int64_t n, std::int64_t c) const { return data[n * shape[1] + c]; }
  double& operator()(std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w) const {
    return data[((n * shape[1] + c) * shape[2] + h) * shape[3] + w];
  }
  std::int64_t count() const { return shape.count(); }
};

struct ReferenceArguments {
  std::vector<View> inputs, outputs, kept, d_outputs, d_inputs, staged;
  // Replay, for finite differences: an op with kinks must take its decisions (mask, arg-max) from `kept` as they are,
  // instead of deciding afresh.
  bool replay = false;
  // Mode::train or infer: batch norm normalises by the batch's or the running statistics.
  Mode mode = Mode::train;
};

class Op {
 public:
  virtual ~Op() = default;
  virtual std::string_view kind() const = 0;
  virtual std::string describe() const = 0;  // every attribute, canonical: the key of the plan cache
  virtual std::vector<Port> inputs() const = 0;
  // Shapes of the outputs; throws std::invalid_argument naming `node`, what was expected and what came.
  virtual std::vector<Shape> infer(std::string_view node, std::span<const Shape> inputs) const = 0;
  virtual Role output_role(int) const { return Role::activation; }
  virtual std::vector<BackwardTask> backward() const = 0;  // empty: for programs without gradients only
  virtual bool updates_state() const { return false; }  // has a commit pass in training
  // Whether its formats decide how long it takes: it is offered all of them. The others follow their neighbours.
  virtual bool needs_every_format() const { return false; }

  // Textbook: what forward keeps for backward (shapes), and the passes.
  virtual std::vector<Shape> reference_keeps(std::span<const Shape> /*inputs*/) const { return {}; }
  virtual void reference(Pass pass, const ReferenceArguments& arguments) const = 0;

  // Fast path: every way to compute the pass; at least one for every block asked for, or an empty list if this pass
  // has none in these blocks.
  virtual std::vector<Candidate> candidates(const Query& query) const = 0;
};

// The sentence of a bad shape: "[batch_norm layer2.0.bn1] x must be (N,C,H,W), got (32,64)".
[[noreturn]] void refuse(std::string_view kind, std::string_view node, std::string_view sentence);
void require(bool condition, std::string_view kind, std::string_view node,
             std::string_view sentence);

// ---- fusion --------------------------------------------------------------------------------------------------------

struct Rewrite {
  std::vector<NodeId> covers;  // replaced nodes; the last of them gives the new node its name and outputs
  std::shared_ptr<const Op> op;
  std::vector<ValueId> inputs;
};

// Registered by ops/; looks only at the forward graph. `root` is the last node of the pattern.
class FusionRule {
 public:
  virtual ~FusionRule() = default;
  virtual std::optional<Rewrite> match(const Graph& graph, NodeId root, Mode mode) const = 0;
};
}  // namespace autodidact::engine
