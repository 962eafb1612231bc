// `autodidact gradcheck`
#include <fmt/format.h>

#include <algorithm>

#include "cli/arguments.hpp"
#include "cli/command.hpp"
#include "cli/gradcheck_cases.hpp"
#include "train/errors.hpp"

namespace autodidact::cli {
namespace {

constexpr const char* kDetached =
    "The teacher of a distillation loss is detached: gradients do not flow into it, so backward is not the derivative of the\n"
    "printed loss. Here the teacher's logits and features, and the decisions of ReLU and max pooling, are held where they\n"
    "were at the base point; of that function backward is the derivative.\n";

std::vector<std::string> kinds_of(const std::vector<GradientCase>& cases) {
  std::vector<std::string> kinds;
  for (const GradientCase& one : cases)
    if (std::find(kinds.begin(), kinds.end(), one.op) == kinds.end()) kinds.push_back(one.op);
  return kinds;
}

std::vector<GradientCase> cases_of(const std::string& op) {
  std::vector<GradientCase> all = op_cases();
  const std::vector<std::string> kinds = kinds_of(all);
  std::erase_if(all, [&](const GradientCase& one) { return one.op != op; });
  if (!all.empty()) return all;
  const std::string near = nearest(op, kinds);
  throw std::invalid_argument(fmt::format("--op: no op is named {}{}; there are {}", op,
                                          near.empty() ? "" : ", did you mean " + near + "?",
                                          fmt::join(kinds, ", ")));
}

void print_head(std::FILE* to) {
  fmt::print(to,
             "gradient:  reference gradient against finite differences in f64, |fd - g.u| / max(|fd|, |g.u|, 0.01 |g|)\n"
             "           at most h^4/30 F + 1.5 eps/h 1e5 with step h, eps = 2.2e-16 and F = 1e6 (networks 1e14), the largest\n"
             "           fifth derivative that is allowed for, relative to the slope\n"
             "fast:      fast path against reference, |fast - reference| / |reference|, the worst of values, gradients,\n"
             "           statistics, channel blocks and numbers of threads\n\n");
  fmt::print(to, "{:<20} {:<42} {:>6} {:>9} {:>9} {:>9} {:>9}\n", "op", "case", "h", "gradient", "at most", "fast", "at most");
}

void print_reasons(std::FILE* to, const std::vector<GradientCase>& cases) {
  std::vector<std::string> said;
  fmt::print(to, "\n");
  for (const GradientCase& one : cases) {
    if (std::find(said.begin(), said.end(), one.fast.reason) != said.end()) continue;
    said.push_back(one.fast.reason);
    fmt::print(to, "fast at most {:.0e}: {}\n", one.fast.value, one.fast.reason);
  }
}

// Prints and returns the verdicts.
nlohmann::ordered_json examine_all(std::FILE* to, const std::vector<GradientCase>& cases, std::size_t& failed) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const GradientCase& one : cases) {
    const Verdict verdict = examine(one);
    failed += verdict.passed ? 0 : 1;
    fmt::print(to, "{:<20} {:<42} {:>6.0e} {:>9.1e} {:>9.1e} {:>9.1e} {:>9.0e}  {}\n", one.op, one.shape, one.check.step,
               verdict.finite_differences, verdict.finite_differences_tolerance, verdict.fast, one.fast.value,
               verdict.passed ? "PASS" : "FAIL");
    std::fflush(to);
    list.push_back({{"op", one.op},
                    {"case", one.shape},
                    {"finite_differences", verdict.finite_differences},
                    {"step", one.check.step},
                    {"finite_differences_tolerance", verdict.finite_differences_tolerance},
                    {"fast", verdict.fast},
                    {"fast_tolerance", one.fast.value},
                    {"fast_reason", one.fast.reason},
                    {"passed", verdict.passed}});
  }
  return list;
}
}  // namespace

int run_gradcheck(const Arguments& arguments) {
  std::string op;
  bool network = false, all = false;
  int threads = 0;
  std::string choose = "fixed", precision = "f32";
  JsonOutput json;
  App app("gradcheck", "Proves derivatives: the reference's against finite differences, the fast path against the reference.");
  app->add_option("--op", op, "only this kind of op");
  app->add_flag("--network", network, "whole narrow networks with the loss of recipe seed");
  app->add_flag("--all", all, "every op and every network; without any of the three, every op");
  app->add_option("--threads", threads, "computing threads of the fast path, beside one; 0 = every core that this process may use")
      ->check(CLI::Range(0, 4096));
  app->add_option("--choose", choose, "fixed: also algorithms of lesser accuracy where a case asks for them; direct: none")
      ->check(CLI::IsMember({"fixed", "direct"}));
  app->add_option("--precision", precision, "of the fast path: f32, or bf16, then on numbers that bf16 has")
      ->check(CLI::IsMember({"f32", "bf16"}));
  json.declare(*app);
  app.parse(arguments);
  threads = std::min(threads, engine::allowed_cores());
  if (precision == "bf16") engine::require_bf16();
  if (precision == "bf16" && (network || all))
    throw std::invalid_argument("--precision bf16 is for ops: bench step --check --precision bf16 compares the gradients of a network");
  if (!op.empty() && all) throw std::invalid_argument("--op and --all exclude each other");

  std::vector<GradientCase> cases;
  if (!op.empty()) cases = cases_of(op);
  else if (all || !network) cases = op_cases();
  if (all || network)
    for (GradientCase& one : network_cases()) cases.push_back(std::move(one));
  for (GradientCase& one : cases) {
    if (precision == "bf16") one = in_bf16(std::move(one));
    one.check.direct |= choose == "direct";
    one.check.threads = {1};
    if (threads != 1) one.check.threads.push_back(threads);
  }

  std::FILE* table = json.to_stdout() ? stderr : stdout;
  if (all || network) fmt::print(table, "{}\n", kDetached);
  print_head(table);
  std::size_t failed = 0;
  nlohmann::ordered_json result;
  result["cases"] = examine_all(table, cases, failed);
  result["passed"] = cases.size() - failed;
  result["failed"] = failed;
  print_reasons(table, cases);
  json.write(result);
  if (failed) throw train::NumericalError(fmt::format("{} of {} gradient checks failed", failed, cases.size()));
  return 0;
}
}  // namespace autodidact::cli
