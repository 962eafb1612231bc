#include "train/report.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "data/error.hpp"
#include "tests/train/markup.hpp"
#include "tests/train/scratch.hpp"
#include "train/frontier_chart.hpp"

using namespace autodidact::train;
using namespace autodidact::train::testing;
namespace data = autodidact::data;

namespace {

/// After the document type. (The style sheet has no "<".)
bool is_well_formed_page(const std::string& page) {
  const std::string kType = "<!DOCTYPE html>";
  return page.starts_with(kType) && is_well_formed(page.substr(kType.size()));
}

bool contains(const std::string& text, const std::string& what) { return text.find(what) != std::string::npos; }

MetricsRow row(std::int64_t step, double epoch, ExitAccuracies accuracies) {
  return {.step = step, .epoch = epoch, .lr = 0.1, .loss = 2.0 / static_cast<double>(step), .loss_ce = 1, .loss_soft = 0.5,
          .loss_feature = 0.25, .accuracies = accuracies, .images_per_s = 100.0 + static_cast<double>(step),
          .kind = epoch == std::floor(epoch) ? RowKind::epoch : RowKind::steps};
}

RunRecord small_run(const std::string& name) {
  RunRecord run{.name = name, .path = "runs/" + name, .config = {{"model", "resnet18"}, {"recipe", "seed"}, {"seed", name}},
                .machine = "Abacus 3000, 2 threads"};
  run.rows = {row(5, 0.5, {{1, 2, 3, 4}, 5}),          row(10, 1, {{50, 55, 60, 65}, 67}),
              row(15, 1.5, {{9, 9, 9, 9}, 9}),         row(20, 2, {{51, 56, 61, 66}, 70.25}),
              row(25, 2.5, {{9, 9, 9, 9}, 9}),         row(30, 3, {{52, 57, 62, 64}, 69})};
  return run;
}

std::string page_of(const std::vector<RunRecord>& runs) { return report_html(runs); }

void write_run(const ScratchDirectory& folder, const std::string& metrics, const std::string& config = "seed=1\n") {
  write_text(folder / "metrics.jsonl", metrics);
  write_text(folder / "config.toml", config);
}

std::string refusal(const std::filesystem::path& folder) {
  return message_of<data::DataError>([&] { read_run(folder); });
}

const std::string kLine = to_json_line({.step = 1, .epoch = 0.5}) + "\n";

}  // namespace

TEST_CASE("report: a run's page has its best and last epoch, four charts, its options and its machine, and needs no other file") {
  const std::string page = page_of({small_run("first")});
  CHECK(is_well_formed_page(page));
  CHECK(count_of(page, "<svg ") == 4);
  CHECK(count_of(page, "<figcaption>") == 4);
  for (const char* text : {"<h1>first</h1>", "best, epoch 2<", ">70.25<", "last, epoch 3<", ">69.00<", "Abacus 3000, 2 threads",
                           "<dt>model</dt><dd>resnet18</dd>", "on the validation part", "ensemble 67 at epoch 1, 69 at epoch 3", "prefers-color-scheme:dark"})
    CHECK_MESSAGE(contains(page, text), text);
  for (const char* text : {"<script", "<link", "src=", "url(", "@import", "nan", "Compar"}) CHECK_MESSAGE(!contains(page, text), text);
  CHECK(count_of(page, "http") == 1 + 4);  // names of the languages HTML and SVG
  CHECK(page == page_of({small_run("first")}));
}

TEST_CASE("report: a policy's accuracy against time is one more chart, with the policy and exit 4 alone in words") {
  PolicyFile file;
  file.frontier = {{0.25, 80, {.exits = {{1, 0.5}}}}, {0.5, 90.5, {.exits = {{1, 0.9}}}}, {1, 91, {}}};
  file.validation = {.images = 10, .full = {{80, 85, 90, 91}, 90}, .accuracy = 90.5, .ms_per_image = 1, .trunk_ms_per_image = 2};
  const std::vector<RunRecord> runs{small_run("a")};
  const std::vector<Figure> figures{frontier_figure(file, "p<1>.json"), frontier_figure({}, "hand.json")};
  const std::string page = report_html(runs, figures);
  CHECK(is_well_formed_page(page));
  CHECK(count_of(page, "<svg ") == 4 + 2);
  for (const char* text : {"Early exit", "p&lt;1&gt;.json", "80.00 at 0.25 of the time, 91.00 at 1.00; the policy 90.50 at 0.50; exit 4 alone 91.00 at 1.",
                           "no frontier"})
    CHECK_MESSAGE(contains(page, text), text);
  CHECK_FALSE(contains(page_of(runs), "Early exit"));
}

TEST_CASE("report: several runs are compared, in a table, a chart and by the options that differ") {
  std::vector<RunRecord> runs{small_run("a"), small_run("b")};
  runs[1].rows.back().accuracies = {{kMissing, kMissing, kMissing, 80}, kMissing};
  runs[1].rows.back().step = 31;
  for (MetricsRow& r : runs[1].rows) r.accuracies = {{kMissing, kMissing, kMissing, r.accuracies.exits[3]}, kMissing};
  const std::string page = page_of(runs);
  CHECK(is_well_formed_page(page));
  CHECK(count_of(page, "<svg ") == 1 + 2 * 4);
  for (const char* text : {"<h1>2 training runs</h1>", "<a href=\"#run-2\">b</a>", "<section id=\"run-2\">", "<td class=\"best\">80.00</td>",
                           "<td class=\"best\">70.25</td>", "<th scope=\"row\">seed</th>\n<td>a</td>\n<td>b</td>", ">–<"})
    CHECK_MESSAGE(contains(page, text), text);
  CHECK_FALSE(contains(page, "<th scope=\"row\">model</th>"));

  runs[1] = small_run("a");
  runs[1].path = "elsewhere/a";
  CHECK(contains(page_of(runs), "<h2>elsewhere/a</h2>"));
  CHECK(contains(page_of({runs[0], runs[0]}), "<p>None.</p>"));
}

TEST_CASE("report: what each exit learns, how the run ended, its confusion and its policy of early exit are shown where they are known") {
  RunRecord run = small_run("full");
  for (MetricsRow& r : run.rows) r.exit_losses = {{1, 2, 3, 4}, {5, 6, 7, kMissing}, ExitLosses::kNone};
  run.result = RunResult{.test = {{50, 60, 70, 80.5}, 90.25}};
  run.confusion = Confusion{};
  for (const std::size_t answer : {0U, 0U, 1U}) run.confusion->add(3, 2, 0, answer);
  run.policy = PolicyFile{};
  run.policy->frontier = {{0.4, 85, {}}, {0.9, 91, {.exits = {{2, 1}}}}};
  run.policy->validation = {.images = 100, .full = {{1, 2, 3, 91.5}, 4}, .accuracy = 90.5, .share_per_exit = {.5, .25, 0, .25},
                            .ms_per_image = 3, .trunk_ms_per_image = 4};
  const std::string page = page_of({run});
  CHECK(is_well_formed_page(page));
  CHECK(count_of(page, "<svg ") == 4 + 2 + 1 + 1);
  for (const char* text : {"exit 2/4 2 at step 5", "Soft cross-entropy with the teacher", "last, test half<", ">80.50<", ">90.25<",
                           "Which class is taken for which", "0 answered as 1: 1 of 3", "85.00 at 0.40 of the time",
                           "the policy 90.50 at 0.75", "exit 4 alone 91.50 at 1", "50.0 % at exit 1/4"})
    CHECK_MESSAGE(contains(page, text), text);
  CHECK_FALSE(contains(page, "Feature distance from the teacher"));
  CHECK_FALSE(contains(page, "nan"));

  run.policy = PolicyFile{};  // without a frontier, as one written by hand
  CHECK(is_well_formed_page(page_of({run})));
}

TEST_CASE("report: runs that are alike but for recipe and seed are compared recipe by recipe on the test half") {
  std::vector<RunRecord> runs;
  for (const char* recipe : {"baseline", "seed"})
    for (const int seed : {1, 2}) {
      runs.push_back(small_run(std::string(recipe) + std::to_string(seed)));
      runs.back().config = {{"recipe", recipe}, {"seed", std::to_string(seed)}, {"width", "4"}};
      runs.back().result = RunResult{.test = {{kMissing, kMissing, kMissing, seed + (*recipe == 's' ? 5.0 : 0.0)}, kMissing}};
    }
  std::string page = page_of(runs);
  CHECK(is_well_formed_page(page));
  CHECK(contains(page, "<td>+5.00 <small>± 0.00</small></td>"));
  CHECK(contains(page, "<td>6.50 <small>± 0.71</small></td>"));
  runs[0].config[2].second = "8";
  CHECK_FALSE(contains(page_of(runs), "<small>"));
}

TEST_CASE("report: an epoch that --max-steps cut is shown as such") {
  RunRecord run = small_run("cut");
  run.rows.back().epoch = 2 + 1.0 / 3;
  run.rows.back().kind = RowKind::cut;
  CHECK(contains(page_of({run}), "last, epoch 2.33, cut short<"));
}

TEST_CASE("report: nothing that stands in a file or a name becomes markup") {
  RunRecord run = small_run("<script>alert(1)</script>");
  run.config = {{"data", "<b>&\"'\x01\xff"}, {"<i>", "</dl>"}};
  run.machine = "<img src=x>";
  for (const std::vector<RunRecord>& runs : {std::vector<RunRecord>{run}, {run, small_run("b")}, {run, run}}) {
    const std::string page = page_of(runs);
    CHECK(is_well_formed_page(page));
    for (const char* text : {"<script", "<b>", "<i>", "<img", "\x01", "\xff"}) CHECK_MESSAGE(!contains(page, text), text);
    CHECK(contains(page, "&lt;b&gt;&amp;&quot;&#39;"));
  }
}

TEST_CASE("report: what is missing leaves gaps, and a run that has measured nothing says so") {
  RunRecord run = small_run("gaps");
  run.rows[3].accuracies = {};
  run.rows[3].loss = kMissing;
  run.rows[2] = {.step = 15, .epoch = 1.5};
  std::string page = page_of({run});
  CHECK(is_well_formed_page(page));
  CHECK_FALSE(contains(page, "nan"));
  CHECK(contains(page, "best, epoch 3<"));

  run.rows.resize(1);
  page = page_of({run, small_run("b")});
  CHECK(is_well_formed_page(page));
  CHECK(contains(page, "No epoch has ended yet."));

  run.rows.clear();
  page = page_of({run});
  CHECK(is_well_formed_page(page));
  CHECK(contains(page, "nothing was measured yet"));
  CHECK(count_of(page, "no data") == 4);
  CHECK_THROWS_AS(report_html({}), std::invalid_argument);
}

TEST_CASE("report: a long run is thinned, and stays readable") {
  RunRecord run = small_run("long");
  run.rows.clear();
  for (int i = 1; i <= 20000; ++i) run.rows.push_back(row(i, i / 20.0, {{1, 2, 3, 4}, i / 400.0}));
  const std::string page = page_of({run});
  CHECK(is_well_formed_page(page));
  CHECK(page.size() < 400'000);
  CHECK(contains(page, "One epoch in 3 as a table"));
}

TEST_CASE("run record: a run is read back, and a last line that is cut off is left out and noted") {
  const ScratchDirectory folder;
  write_run(folder, kLine + to_json_line(row(10, 1, {{1, 2, 3, 4}, 5})) + "\n{\"step\":20,\"ep",
            "# machine: Abacus, 2 threads\n# a comment\ndata=\"synthetic:64,side=8\"\nepochs=7\nbest-on-test=false\n");
  const RunRecord run = read_run(folder.path());
  CHECK(run.name == folder.path().filename().string());
  CHECK(run.machine == "Abacus, 2 threads");
  CHECK(run.config == std::vector<std::pair<std::string, std::string>>{
                          {"data", "synthetic:64,side=8"}, {"epochs", "7"}, {"best-on-test", "false"}});
  REQUIRE(run.rows.size() == 2);
  CHECK(run.rows[1].accuracies.ensemble == 5);
  CHECK(run.cut_off);
  CHECK(epoch_rows(run).size() == 1);
  CHECK(judged_on(run) == "validation");
  CHECK(contains(page_of({run}), "is cut off"));
  CHECK(read_run(folder.path() / "").name == run.name);

  write_run(folder, "");
  CHECK(read_run(folder.path()).rows.empty());
}

TEST_CASE("run record: the part on which epochs are judged is that of train") {
  const auto part = [](std::vector<std::pair<std::string, std::string>> config) { return judged_on({.config = std::move(config)}); };
  CHECK(part({}) == "validation");
  CHECK(part({{"validation", "false"}}) == "training");
  CHECK(part({{"best-on-test", "true"}}) == "test");
  CHECK(part({{"compat", "seed"}}) == "test");
  CHECK(part({{"compat", "seed"}, {"validation", "true"}}) == "validation");
}

TEST_CASE("run record: what is missing or damaged is said in one sentence with file and line") {
  const ScratchDirectory folder;
  const std::string metrics = (folder / "metrics.jsonl").string(), config = (folder / "config.toml").string();
  CHECK(refusal(folder / "none") == (folder / "none").string() + ": no such run directory");
  CHECK(refusal(folder.path()) == config + ": no such file, so its folder holds no run");
  write_text(config, "seed=1\nwhat is this\n");
  CHECK(refusal(folder.path()) == config + ": line 2 is not KEY=VALUE");
  write_text(config, "seed=1\n");
  CHECK(refusal(folder.path()) == metrics + ": no such file, so its folder holds no run");
  write_run(folder, kLine + "{\"step\":20,\"ep\n" + kLine);
  CHECK(refusal(folder.path()) == metrics + ": line 2 is not JSON at byte 15");
  write_run(folder, kLine + "{\"step\":20,\"epoch\":1,\"lr\":\"x\"}\n");
  CHECK(refusal(folder.path()) == metrics + ": line 2 has a lr that is not a number");
  std::filesystem::remove(metrics);
  std::filesystem::create_directory(metrics);
  CHECK(refusal(folder.path()) == metrics + " is not a file");
}
