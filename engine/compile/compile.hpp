// engine/compile/compile.hpp: Graph → Program. Everything is decided here, once.
//
// The passes, one file each: cut (only what the outputs need; a fed value loses its producer) · fuse (patterns registered by
// ops/) · differentiate (backward passes, explicitly, in reverse) · choose (a candidate and a format for every pass,
// emission of tasks, reorders and sums) · schedule (phases) · place (addresses). Each works on the Draft of draft.hpp; where candidates are measured, the planner
// makes several drafts, with other formats or branches in other lanes, and places the fastest.
#pragma once
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "engine/communicator.hpp"
#include "engine/graph.hpp"
#include "engine/op.hpp"
#include "engine/program.hpp"
#include "engine/threads.hpp"

namespace autodidact::engine {

// fast: oneDNN and our kernels. reference: the textbook loops of ops/reference in f64, list order, nothing fused or
// reused.
enum class Backend : std::uint8_t { fast, reference };

// measure: time the candidates of each pass · fixed: the op's first candidate that needs the fewest reorders, the same on
// every machine of one ISA and library · direct: as fixed, and no algorithm of lesser accuracy (Winograd).
enum class Choose : std::uint8_t { measure, fixed, direct };

// What backward reads and forward need not keep. none: nothing · automatic: what one sweep over memory makes again (batch norm with
// its ReLU, the attention gate) · stage: everything between the checkpoints of the graph (our networks: the
// outputs of the stages, and the features), convolutions too: least memory, most time.
// Every product is the same in all cases. So are the bits, but for two: in bf16 `stage` rounds sums of gradients as they grow, and where it
// has the branches in turn other parts of a tensor are summed first.
enum class Recompute : std::uint8_t { none, automatic, stage };

// The branches of the graph's exits (Graph::exit). side_by_side: each in a narrow lane, on a part of the threads · in_turn: wide, as all else · automatic:
// as `inherit` or `prefer` has it; else side_by_side, with a part of the trunk in a narrow lane beside them where that is faster by what was measured
// (Program::planned); unless there is one thread, or in_turn is faster by a twentieth.
// With Recompute::stage always in_turn: side by side the branches' activations would be alive together.
enum class Branches : std::uint8_t { side_by_side, in_turn, automatic };

struct FeedType {
  DType dtype = DType::f32;
  Format format = {};
  FeedType() = default;
  explicit FeedType(const TensorType& made) : dtype(made.dtype), format(made.format) {}
};

struct CompileOptions {
  Backend backend = Backend::fast;
  // Of the fast backend. bf16: planes and their gradients in bf16 (engine/shape.hpp, storage), outputs among them; inputs, what is
  // learned, statistics, losses and every sum stay f32 or wider.
  Precision precision = Precision::f32;
  Mode mode = Mode::train;
  Choose choose = Choose::measure;
  bool gradients = true;  // of the graph's loss, for every parameter that it depends on
  // Names among graph.outputs() to compute; empty: all of them.
  std::vector<std::string> outputs = {};
  // Names of values that the caller gives instead of their producers: they become inputs.
  std::vector<std::string> feeds = {};
  // How fed values lie, by name; where nothing is said, plain and f32. So a value that one program made goes into the next as it is, and
  // nothing is reordered or converted. For values of rank 4; the shapes are the graph's.
  std::map<std::string, FeedType> feed_types = {};
  // Names of outputs whose gradient the caller gives, as input "d/NAME", in place of a loss: a vector-Jacobian product.
  std::vector<std::string> cotangents = {};
  // Names of inputs whose gradient is wanted, as output "d/NAME".
  std::vector<std::string> differentiate = {};
  std::span<const FusionRule* const> fusions = {};  // empty: nothing is fused
  Recompute recompute = Recompute::none;
  bool reuse = true;                                // false: every value keeps a place of its own
  // Channel blocks to offer first; 0 = channels last. Empty: what suits the CPU.
  std::vector<std::int64_t> blocks = {};
  // Choices to take over, by node and pass, where they are offered: other batch sizes inherit those of the main program.
  const Program* inherit = nullptr;
  // Candidates to take where they are offered: an id, for every pass; or "NODE<tab>PASS<tab>ID<tab>IMPLEMENTATION<tab>FORMATS", as
  // was chosen before (Task::formats). And for Branches::automatic how the branches ran, line_of, and what of the trunk beside them, beside_line.
  std::vector<std::string> prefer = {};
  Branches branches = Branches::side_by_side;
  Communicator* communicator = &alone();  // must live as long as the program
};

// Throws std::invalid_argument, in one sentence, where oneDNN computes nothing in bf16.
void require_bf16();

// Throws std::invalid_argument for what the caller got wrong (names, a loss that is no scalar, bf16 on a CPU that oneDNN has none for).
Program compile(const Graph& graph, const CompileOptions& options, Lanes& lanes);

inline const char* name_of(Branches branches) {
  constexpr const char* kNames[] = {"side_by_side", "in_turn", "automatic"};
  return kNames[static_cast<std::size_t>(branches)];
}
// For CompileOptions::prefer.
inline std::string line_of(Branches branches) { return std::string("branches\tplan\t") + name_of(branches); }
// Of a step of the trunk that runs beside the branches.
inline constexpr std::string_view kBesideLine = "beside\tplan\t";
inline std::string beside_line(const std::string& node, Pass pass) { return std::string(kBesideLine) + node + '\t' + name_of(pass); }
// Of all such steps of a program.
std::set<std::string> beside_lines(const Program& program);
}  // namespace autodidact::engine
