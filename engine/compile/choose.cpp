// choose: one candidate and the formats of its operands for every step, in order. A value lies in the format in which its
// producer writes it; who wants another pays for a reorder, so formats spread and reorders stay rare.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "engine/compile/draft.hpp"
#include "engine/compile/emission.hpp"
#include "engine/compile/timings.hpp"
#include "engine/compile/trial.hpp"
#include "engine/compile/wiring.hpp"
#include "engine/onednn.hpp"

namespace autodidact::engine::compile_passes {
namespace {

FormatKind kind_of(const Candidate& candidate) {
  const bool last = std::any_of(candidate.types.begin(), candidate.types.end(), [](const OperandType& type) { return type.type.layout_text() == "nhwc"; });
  return last ? FormatKind::channels_last : FormatKind::blocks;
}

// Milliseconds that no choice can cost: what a preferred candidate is let off.
constexpr double kPreference = 1e9;

class Chooser {
 public:
  explicit Chooser(Draft& draft)
      : draft_(draft), wiring_(draft), preferred_(draft.options.prefer.begin(), draft.options.prefer.end()) {
    if (!draft.options.inherit) return;
    for (const Task& task : draft.options.inherit->tasks())
      if (!task.node.empty()) inherited_[{task.node, task.pass}] = &task;
  }

  void run() {
    draft_.formats.resize(draft_.steps.size());
    for (const Step& step : draft_.steps) {
      if (draft_.options.backend == Backend::reference) wiring_.add_reference(step);
      else add_fast(step);
    }
    // Reorders for the caller run in the wide lane.
    run_in_lane_of(draft_, 0, [&](Lane&) { wiring_.finish(); });
  }

 private:
  Query make_query(const Step& step) const {
    const Graph& graph = draft_.graph;
    const Node& node = graph.node(step.node);
    Query query{node};
    query.pass = step.pass;
    query.mode = draft_.options.mode;
    query.precision = draft_.options.precision;
    query.threads = threads_of(draft_, step.branch);
    query.ranks = draft_.options.communicator->size();
    query.weights_change = draft_.options.gradients;
    query.only_direct = draft_.options.choose == Choose::direct;
    for (const ValueId id : node.inputs) {
      query.inputs.push_back(graph.value(id).shape);
      // Forward is told whether backward will come: what it must keep may depend on that.
      query.needs_gradient.push_back(step.pass == Pass::forward && draft_.needs_gradient[static_cast<std::size_t>(id.index)]);
    }
    for (const ValueId id : node.outputs) query.outputs.push_back(graph.value(id).shape);
    for (const Operand& write : step.writes)
      query.needs_gradient[static_cast<std::size_t>(write.index)] = true;
    if (!step.writes.empty()) query.d_output_summands = wiring_.summands(node.outputs.front());
    return query;
  }

  // Blocks that its operands already have, then the CPU's favourite.
  std::vector<std::int64_t> first_blocks(const Node& node, std::optional<FormatKind> wanted) const {
    std::vector<std::int64_t> blocks;
    const auto add = [&](std::int64_t block) {
      if (std::find(blocks.begin(), blocks.end(), block) == blocks.end()) blocks.push_back(block);
    };
    // A fed value counts like any other between nodes; the images and the parameters are plain whatever comes of them.
    const auto between_nodes = [&](const Value& value) {
      return value.source == Source::node || draft_.options.feed_types.contains(value.name);
    };
    for (const ValueId id : node.inputs)
      if (const auto type = wiring_.type_of(id); type && between_nodes(draft_.graph.value(id)))
        add(type->format.block == 8 || type->format.block == 16 || type->format.block == 1
                ? type->format.block
                : Query::kChannelsLast);
    for (const std::int64_t block : draft_.options.blocks) add(block);
    if (!draft_.options.blocks.empty()) return blocks;
    add(onednn::preferred_block());
    // The library's products of matrices want channels last, as do its kernels for AMX; the others blocks. In f32 blocks mostly win, so there only those
    // who might gain are asked, and measured.
    const bool may_gain = node.op->needs_every_format() && draft_.options.choose == Choose::measure;
    if (draft_.options.precision == Precision::bf16 || may_gain || wanted == FormatKind::channels_last) add(Query::kChannelsLast);
    return blocks;
  }

  std::vector<Candidate> usable_candidates(Query& query, const Step& step) const {
    query.blocks = first_blocks(query.node, wanted(step));
    auto candidates = offered(query, step);
    const auto chosen_among = [&](const std::vector<Candidate>& all) {
      return std::any_of(all.begin(), all.end(), [&](const Candidate& candidate) { return chosen_before(query, candidate); });
    };
    if (!candidates.empty() && (!was_chosen(query) || chosen_among(candidates))) return candidates;
    const std::vector<std::int64_t> first = query.blocks;
    for (const std::int64_t block : {Query::kChannelsLast, std::int64_t{1}})
      if (std::find(query.blocks.begin(), query.blocks.end(), block) == query.blocks.end()) query.blocks.push_back(block);
    auto more = offered(query, step);
    if (candidates.empty() || chosen_among(more)) return more;
    query.blocks = first;
    return candidates;
  }

  std::vector<Candidate> offered(const Query& query, const Step& step) const {
    std::vector<Candidate> candidates = query.node.op->candidates(query);
    if (step.pass != Pass::forward)
      std::erase_if(candidates, [&](const Candidate& candidate) { return candidate.keeps_key != wiring_.keeps_key(step.node); });
    return candidates;
  }

  struct Selection {
    std::size_t index = 0;
    double ms = 0, fastest_ms = 0;  // of the selected and of the fastest; 0: not measured
  };

  Selection select(const Query& query, const Step& step, const std::vector<Candidate>& candidates, int branch) {
    const bool labels = std::any_of(query.node.inputs.begin(), query.node.inputs.end(), [&](ValueId id) {
      return draft_.graph.value(id).role == Role::label;
    });
    const bool timed = draft_.options.choose == Choose::measure && !labels;
    if (const auto inherited = inherited_choice(query, candidates)) return {*inherited};
    std::vector<double> times(candidates.size(), 0);
    if (timed) {
      TrialGround ground(draft_.lanes, branch == 0, draft_.trial_memory);
      times = measure(query, candidates, [&] { return offered(query, step); },
                      [&](const Candidate& candidate) -> const std::vector<TensorType>& { return wiring_.keeps(step, candidate); },
                      ground, draft_.dropped);
    }
    Selection best;
    double best_cost = std::numeric_limits<double>::max();
    double fastest = std::numeric_limits<double>::max();
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const double ms = times[i];
      double cost = ms + reorder_ms(wiring_.reorder_bytes(step, query, candidates[i]));
      const bool in_wanted_format = ms < Timings::kNotRun && wanted(step) == kind_of(candidates[i]);
      if (preferred(query, candidates[i]) || in_wanted_format) cost -= kPreference;
      fastest = std::min(fastest, ms);
      if (cost >= best_cost) continue;
      best = {i, ms < Timings::kNotRun ? ms : 0};
      best_cost = cost;
    }
    best.fastest_ms = fastest;
    if (timed) note_formats(step, candidates, times, best.index);
    return best;
  }

  std::size_t index_of(const Step& step) const { return static_cast<std::size_t>(&step - draft_.steps.data()); }

  std::optional<FormatKind> wanted(const Step& step) const {
    return draft_.wanted.empty() ? std::nullopt : std::optional(draft_.wanted[index_of(step)]);
  }

  // Of what the caller gives and a candidate wants in another format.
  std::size_t bytes_of_images(const Step& step, const Candidate& candidate) const {
    const Node& node = draft_.graph.node(step.node);
    std::size_t bytes = 0;
    for (const OperandType& wanted : candidate.types) {
      if (wanted.operand.kind != Operand::Kind::input) continue;
      const ValueId id = node.inputs[static_cast<std::size_t>(wanted.operand.index)];
      if (draft_.graph.value(id).source == Source::input && wiring_.type_of(id) != wanted.type) bytes += wanted.type.bytes();
    }
    return bytes;
  }

  // For the choice over the whole graph.
  void note_formats(const Step& step, const std::vector<Candidate>& candidates, const std::vector<double>& times, std::size_t chosen) {
    StepFormats& formats = draft_.formats[index_of(step)];
    formats.chosen = kind_of(candidates[chosen]);
    std::array<std::optional<double>, 2> ms;
    std::set<Operand> operands;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      for (const OperandType& type : candidates[i].types) {
        operands.insert(type.operand);
        // What a pass keeps in a format is of use to a backward pass in that format only.
        formats.bound |= step.pass != Pass::forward && candidates[i].keeps_key.find(type.type.layout_text()) != std::string::npos;
      }
      auto& best = ms[static_cast<std::size_t>(kind_of(candidates[i]))];
      const double with_images = times[i] + reorder_ms(bytes_of_images(step, candidates[i]));
      best = std::min(best.value_or(with_images), with_images);
    }
    formats.ms = {ms[0].value_or(ms[1].value_or(0)), ms[1].value_or(ms[0].value_or(0))};
    formats.operands.assign(operands.begin(), operands.end());
  }

  // In the formats of the main program too, where they are offered.
  std::optional<std::size_t> inherited_choice(const Query& query, const std::vector<Candidate>& candidates) const {
    const auto inherited = inherited_.find({query.node.name, query.pass});
    if (inherited == inherited_.end()) return {};
    const Task& task = *inherited->second;
    std::optional<std::size_t> choice;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      if (candidates[i].id != task.candidate || candidates[i].implementation != task.implementation) continue;
      if (formats_text(candidates[i]) == task.formats) return i;
      if (!choice) choice = i;
    }
    return choice;
  }

  static std::string line_start(const Query& query) { return fmt::format("{}\t{}\t", query.node.name, name_of(query.pass)); }

  // Whether it is said which candidate of this step was chosen before, and whether it is this one.
  bool was_chosen(const Query& query) const {
    if (draft_.options.inherit) return inherited_.contains({query.node.name, query.pass});
    const auto line = preferred_.lower_bound(line_start(query));
    return line != preferred_.end() && line->starts_with(line_start(query));
  }
  bool chosen_before(const Query& query, const Candidate& candidate) const {
    const auto inherited = inherited_.find({query.node.name, query.pass});
    if (inherited == inherited_.end()) return preferred(query, candidate);
    const Task& task = *inherited->second;
    return candidate.id == task.candidate && candidate.implementation == task.implementation && formats_text(candidate) == task.formats;
  }

  bool preferred(const Query& query, const Candidate& candidate) const {
    if (preferred_.empty()) return false;
    return preferred_.contains(candidate.id) ||
           preferred_.contains(fmt::format("{}{}\t{}\t{}", line_start(query), candidate.id, candidate.implementation, formats_text(candidate)));
  }

  void add_fast(const Step& step) {
    const Node& node = draft_.graph.node(step.node);
    const int branch = step.branch;
    Query query = make_query(step);
    std::vector<Candidate> candidates;
    run_in_lane_of(draft_, branch, [&](Lane&) { candidates = usable_candidates(query, step); });
    if (candidates.empty())
      refuse(node.op->kind(), node.name,
             std::string("has no implementation for ") + name_of(step.pass) + " on this CPU");
    const Selection selection = select(query, step, candidates, branch);
    run_in_lane_of(draft_, branch, [&](Lane&) {
      const Candidate& chosen = candidates[selection.index];
      Emission emission(*draft_.options.communicator);
      chosen.emit(emission);
      const std::size_t first = draft_.tasks.size();
      wiring_.add(step, query, chosen, std::move(emission));
      // Reorders, sums and packs come first; the time is that of the pass itself.
      const auto own = std::find_if(draft_.tasks.begin() + static_cast<std::ptrdiff_t>(first), draft_.tasks.end(),
                                    [&](const DraftTask& task) { return task.task.node == node.name && !task.task.pack; });
      for (std::size_t t = first; t < draft_.tasks.size(); ++t) draft_.tasks[t].task.step = static_cast<int>(index_of(step));
      if (own == draft_.tasks.end()) return;
      own->task.predicted_ms = selection.ms;
      own->task.fastest_ms = selection.fastest_ms;
    });
  }

  Draft& draft_;
  Wiring wiring_;
  std::set<std::string> preferred_;
  std::map<std::pair<std::string, Pass>, const Task*> inherited_;
};
}  // namespace

void choose(Draft& draft) { Chooser(draft).run(); }
}  // namespace autodidact::engine::compile_passes
