#include "train/plan_table.hpp"

#include <fmt/format.h>

namespace autodidact::train {
namespace {

std::string lane_name(const engine::Task& task) {
  if (task.branch == engine::Task::kBeside) return "beside";
  return task.branch == 0 ? "trunk" : fmt::format("exit {}", task.branch);
}

std::string shape_text(const engine::Shape& shape) {
  std::string text;
  for (int axis = 0; axis < shape.rank(); ++axis) text += fmt::format("{}{}", axis ? "×" : "", shape[axis]);
  return text.empty() ? "scalar" : text;
}

// A packed or temporary buffer is a blob: its shape says nothing but its size.
std::string result_text(const engine::TensorType& type) {
  return type.dtype == engine::DType::u8 && type.shape.rank() == 1 ? "blob" : shape_text(type.shape);
}

// 0: not measured.
double measured(std::span<const double> measured_ms, std::size_t index) {
  return index < measured_ms.size() && measured_ms[index] < 1e300 ? measured_ms[index] : 0;
}

std::string milliseconds_text(double ms) { return ms > 0 ? fmt::format("{:.3f}", ms) : "-"; }
nlohmann::ordered_json milliseconds_json(double ms) { return ms > 0 ? nlohmann::ordered_json(ms) : nullptr; }

// Tasks in the order in which the phases run them.
template <class Visit>
void each_task(const engine::Program& program, Visit visit) {
  int phase_number = 0;
  for (const engine::Phase& phase : program.phases()) {
    for (const auto& list : phase.lists)
      for (const std::int32_t index : list) visit(phase_number, static_cast<std::size_t>(index));
    ++phase_number;
  }
}

// Columns count characters, not bytes: × is two bytes.
std::string padded(std::string text, std::size_t width) {
  std::size_t characters = 0;
  for (const char c : text) characters += (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  if (characters < width) text.append(width - characters, ' ');
  return text;
}
}  // namespace

std::string plan_table(const engine::Program& program, std::span<const double> measured_ms) {
  std::size_t name_width = 4;
  for (const engine::Task& task : program.tasks()) name_width = std::max(name_width, task.name.size());
  std::string table = fmt::format("{:>4} {:>5}  {} {:<16} {} {:<4} {} {:<10} {} {:>7} {:<6} {:>7} {:>9} {:>9}\n", "#", "phase",
                                  padded("task", name_width), "pass", padded("out", 16), "type", padded("format", 8), "algorithm",
                                  padded("implementation", 30), "threads", "lane", "MB", "predicted", "measured");
  double predicted_total = 0, measured_total = 0;
  int number = 0;
  each_task(program, [&](int phase, std::size_t index) {
    const engine::Task& task = program.tasks()[index];
    const double ms = measured(measured_ms, index);
    predicted_total += task.predicted_ms;
    measured_total += ms;
    table += fmt::format("{:>4} {:>5}  {} {:<16} {} {:<4} {} {:<10} {} {:>7} {:<6} {:>7.1f} {:>9} {:>9}\n", ++number, phase + 1,
                         padded(task.name, name_width), task.pack ? "pack" : name_of(task.pass),
                         padded(result_text(task.result), 16), name_of(task.result.dtype), padded(task.result.layout_text(), 8), task.candidate,
                         padded(task.implementation, 30), task.threads, lane_name(task),
                         static_cast<double>(task.result.bytes()) / 1e6, milliseconds_text(task.predicted_ms), milliseconds_text(ms));
  });
  const engine::MemoryForecast memory = program.memory();
  table += fmt::format("{} tasks in {} phases, arena {:.1f} MB, inputs, outputs and packed weights {:.1f} MB", number,
                       program.phases().size(), static_cast<double>(memory.arena) / 1e6,
                       static_cast<double>(memory.own) / 1e6);
  table += fmt::format("\ntimes in ms; predicted: measured when it was chosen, {:.1f} in all; measured: inside a step, {}\n",
                       predicted_total, measured_total > 0 ? fmt::format("{:.1f} in all", measured_total) : "with --time N");
  if (const engine::PlannedTimes& planned = program.planned(); planned.side_by_side_ms > 0)
    table += fmt::format("by these times: with the branches side by side {:.1f}, {}one after the other {:.1f}\n", planned.side_by_side_ms,
                         planned.beside_trunk_ms > 0 ? fmt::format("with part of the trunk beside them {:.1f}, ", planned.beside_trunk_ms) : "",
                         planned.in_turn_ms);
  return table;
}

nlohmann::ordered_json plan_json(const engine::Program& program, std::span<const double> measured_ms) {
  nlohmann::ordered_json json{{"arena_bytes", program.memory().arena},
                              {"own_bytes", program.memory().own},
                              {"side_by_side_ms", milliseconds_json(program.planned().side_by_side_ms)},
                              {"beside_trunk_ms", milliseconds_json(program.planned().beside_trunk_ms)},
                              {"in_turn_ms", milliseconds_json(program.planned().in_turn_ms)},
                              {"tasks", nlohmann::ordered_json::array()}};
  each_task(program, [&](int phase, std::size_t index) {
    const engine::Task& task = program.tasks()[index];
    json["tasks"].push_back({{"task", task.name},
                             {"node", task.node},
                             {"phase", phase + 1},
                             {"pass", task.pack ? "pack" : name_of(task.pass)},
                             {"shape", shape_text(task.result.shape)},
                             {"type", name_of(task.result.dtype)},
                             {"format", task.result.layout_text()},
                             {"algorithm", task.candidate},
                             {"implementation", task.implementation},
                             {"threads", task.threads},
                             {"lane", lane_name(task)},
                             {"bytes", task.result.bytes()},
                             {"scratch_bytes", task.scratch_bytes},
                             {"predicted_ms", milliseconds_json(task.predicted_ms)},
                             {"measured_ms", milliseconds_json(measured(measured_ms, index))}});
  });
  return json;
}
}  // namespace autodidact::train
