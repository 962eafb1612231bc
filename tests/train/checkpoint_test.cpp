// Checkpoints as files: all that was saved comes back, no damage passes, the folder holds what it should.
#include "train/checkpoint.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/graph.hpp"
#include "tests/train/scratch.hpp"
#include "train/checkpoint_store.hpp"
#include "train/errors.hpp"
#include "train/plan_choices.hpp"
#include "train/programs.hpp"
#include "train/resume.hpp"
#include "train/save_every.hpp"

using namespace autodidact;
using namespace autodidact::train;
using namespace autodidact::train::testing;
namespace fs = std::filesystem;

namespace {
std::shared_ptr<const engine::ParameterLayout> small_layout() {
  model::NetworkOptions network;
  network.width = 4;
  network.classes = 3;
  network.image_height = network.image_width = 8;
  return std::make_shared<const engine::ParameterLayout>(training_graph(network, model::recipe_by_name("baseline"), 2));
}

// Every number of it is another.
engine::ParameterStore numbered_store(const std::shared_ptr<const engine::ParameterLayout>& layout) {
  engine::ParameterStore store(layout, engine::DType::f32);
  float next = 1;
  const auto fill = [&](engine::Section section, const engine::Slot& slot) {
    for (float& number : store.view<float>(section, slot)) number = next++;
  };
  for (const auto& slot : layout->parameters()) {
    fill(engine::Section::values, slot);
    fill(engine::Section::momentum, slot);
  }
  for (const auto& slot : layout->states()) fill(engine::Section::states, slot);
  return store;
}

RunState some_state(std::int64_t steps = 7) {
  RunState state;
  state.epoch = 1;
  state.step = 3;
  state.steps = steps;
  state.best_epoch = 1;
  state.best_step = 4;
  state.best = {{10, kMissing, 1.0 / 3, 40}, 50};
  state.history = {state.best, {}};
  state.epoch_sums = {{0.1, 0.2, 0.3, 1e-300, {{1.0 / 3, kMissing, 2, 3}, {4, 5, 6, kMissing}, ExitLosses::kNone}}, 1.0 / 7, kMissing, 3, 48, 1.5, {48, {1, 2, 3, 4}, {true, false, true, true}, 5}};
  state.row_sums.loss.total = 0.1 + 0.2;
  state.machine = "a machine";
  state.data = "data";
  state.config = "lr=0.1\nname=\"\xff\"\n";
  state.metrics = "{\"step\":1}\n";
  state.choices = "conv1\tforward\ta\tb\n";
  return state;
}

fs::path write_some(const fs::path& path, const engine::ParameterStore& store, std::int64_t steps = 7) {
  Snapshot snapshot;
  snapshot.take(some_state(steps), store);
  snapshot.write(path);
  return path;
}

std::vector<std::string> sorted_names(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}
}  // namespace

TEST_CASE("checkpoint: all that was saved comes back bit for bit") {
  const ScratchDirectory scratch;
  const auto layout = small_layout();
  const engine::ParameterStore store = numbered_store(layout);
  const Checkpoint read = read_checkpoint(write_some(scratch / "c", store));
  const RunState wanted = some_state();
  CHECK(read.state.epoch == 1);
  CHECK(read.state.step == 3);
  CHECK(read.state.steps == 7);
  CHECK(read.state.best_epoch == 1);
  CHECK(read.state.best_step == 4);
  CHECK(std::isnan(read.state.best.exits[1]));
  CHECK(read.state.best.exits[2] == 1.0 / 3);
  CHECK(read.state.history.size() == 2);
  CHECK(std::isnan(read.state.history[1].ensemble));
  CHECK(read.state.epoch_sums.loss.feature == 1e-300);
  CHECK(read.state.epoch_sums.loss.exits.ce[0] == 1.0 / 3);
  CHECK(std::isnan(read.state.epoch_sums.loss.exits.ce[1]));
  CHECK(read.state.epoch_sums.loss.exits.soft[2] == 6);
  CHECK(std::isnan(read.state.epoch_sums.loss.exits.feature[0]));
  CHECK(read.state.epoch_sums.gradient_norm == 1.0 / 7);
  CHECK(std::isnan(read.state.epoch_sums.clipped));
  CHECK(read.state.epoch_sums.steps == 3);
  CHECK(read.state.epoch_sums.images == 48);
  CHECK(read.state.epoch_sums.seconds == 1.5);
  CHECK(read.state.epoch_sums.tally == wanted.epoch_sums.tally);
  CHECK(read.state.row_sums.loss.total == 0.1 + 0.2);
  for (const auto member : {&RunState::machine, &RunState::data, &RunState::config, &RunState::metrics, &RunState::choices, &RunState::timings})
    CHECK(read.state.*member == wanted.*member);
  engine::ParameterStore back(layout, engine::DType::f32);
  restore(read, back);
  for (const engine::Section section : {engine::Section::values, engine::Section::momentum})
    for (const auto& slot : layout->parameters()) CHECK(back.get(section, slot) == store.get(section, slot));
  for (const auto& slot : layout->states()) CHECK(back.get(engine::Section::states, slot) == store.get(engine::Section::states, slot));
}

TEST_CASE("checkpoint: the names of a start with more tensors than the network has come back, however many") {
  const ScratchDirectory scratch;
  RunState state = some_state();
  state.init_from = LoadReport{};
  for (int i = 0; i < 20000; ++i) state.init_from->ignored.push_back(fmt::format("tensor \"{}\"", i));
  Snapshot snapshot;
  snapshot.take(state, numbered_store(small_layout()));
  snapshot.write(scratch / "c");
  const Checkpoint read = read_checkpoint(scratch / "c");
  REQUIRE(read.state.init_from);
  CHECK(read.state.init_from->ignored == state.init_from->ignored);
}

TEST_CASE("checkpoint: second moments and averaged weights come back too, and are asked for where a run has them") {
  const ScratchDirectory scratch;
  const auto layout = small_layout();
  engine::ParameterStore store = numbered_store(layout), average = numbered_store(layout);
  store.add(engine::Section::second_moments);
  float next = 0.5;
  for (const auto& slot : layout->parameters())
    for (float& number : store.view<float>(engine::Section::second_moments, slot)) number = next++;
  for (const auto& slot : layout->parameters())
    for (float& number : average.view<float>(engine::Section::values, slot)) number = -number;
  Snapshot snapshot;
  snapshot.take(some_state(), store, &average);
  snapshot.write(scratch / "c");
  const Checkpoint read = read_checkpoint(scratch / "c");
  engine::ParameterStore back(layout, engine::DType::f32), back_average(layout, engine::DType::f32, false);
  back.add(engine::Section::second_moments);
  restore(read, back);
  restore_average(read, back_average);
  for (const engine::Section section : {engine::Section::values, engine::Section::momentum, engine::Section::second_moments})
    for (const auto& slot : layout->parameters()) CHECK(back.get(section, slot) == store.get(section, slot));
  for (const auto& slot : layout->parameters())
    CHECK(back_average.get(engine::Section::values, slot) == average.get(engine::Section::values, slot));
  for (const auto& slot : layout->states())
    CHECK(back_average.get(engine::Section::states, slot) == average.get(engine::Section::states, slot));

  const Checkpoint without = read_checkpoint(write_some(scratch / "plain", numbered_store(layout)));
  CHECK(message_of<FileFormatError>([&] { restore(without, back); }).find("second_moments/") != std::string::npos);
  CHECK(message_of<FileFormatError>([&] { restore_average(without, back_average); }).find("average/") != std::string::npos);
}

TEST_CASE("checkpoint: any flipped bit and any length is refused in one sentence that names the file") {
  const ScratchDirectory scratch;
  const fs::path path = write_some(scratch / "c", numbered_store(small_layout()));
  const std::string whole = read_text(path);
  const auto refused = [&](const std::string& bytes, const std::string& why) {
    CAPTURE(why);
    write_text(path, bytes);
    const std::string message = message_of<FileFormatError>([&] { read_checkpoint(path); });
    CHECK(message.find(path.string()) != std::string::npos);
    CHECK(message.find('\n') == std::string::npos);
  };
  for (std::size_t i = 0; i < 200; ++i) {  // near both ends, and spread over the rest
    const std::size_t at = i < 40 ? i : i < 80 ? whole.size() - 1 - (i - 40) : (i - 80) * (whole.size() / 120);
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << (i % 8)));
    refused(bytes, fmt::format("byte {}", at));
  }
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{8}, std::size_t{9}, whole.size() / 2, whole.size() - 1})
    refused(whole.substr(0, size), fmt::format("{} bytes", size));
  refused(whole + '\0', "a byte behind it");
  write_text(path, whole);
  CHECK_NOTHROW(read_checkpoint(path));
  CHECK(message_of<FileFormatError>([&] { read_checkpoint(scratch / "none"); }).find("no such file") != std::string::npos);
  write_safetensors(path, {}, {});
  CHECK_THROWS_AS(read_checkpoint(path), FileFormatError);
  write_sealed_safetensors(path, {}, {});
  CHECK(message_of<FileFormatError>([&] { read_checkpoint(path); }).find("not a checkpoint") != std::string::npos);
}

TEST_CASE("checkpoint: that of another network is refused, naming what does not fit") {
  const ScratchDirectory scratch;
  const Checkpoint read = read_checkpoint(write_some(scratch / "c", numbered_store(small_layout())));
  model::NetworkOptions wider;
  wider.width = 8;
  wider.classes = 3;
  wider.image_height = wider.image_width = 8;
  engine::ParameterStore other(std::make_shared<const engine::ParameterLayout>(training_graph(wider, model::recipe_by_name("baseline"), 2)),
                               engine::DType::f32);
  CHECK(message_of<FileFormatError>([&] { restore(read, other); }).find("expected") != std::string::npos);
}

TEST_CASE("checkpoint: a full disk leaves the older one as it was, and no other file") {
  const ScratchDirectory scratch;
  const engine::ParameterStore store = numbered_store(small_layout());
  CheckpointStore checkpoints(scratch / "checkpoints", 2);
  checkpoints.begin(-1);
  checkpoints.save(some_state(7), store);
  checkpoints.wait();
  const auto before = sorted_names(checkpoints.folder());
  REQUIRE(before == std::vector<std::string>{"step-000000000007.safetensors"});
  {
    const FullDisk full(5000);
    checkpoints.save(some_state(8), store);
    CHECK(message_of<ResourceError>([&] { checkpoints.wait(); }).find("step-000000000008") != std::string::npos);
  }
  CHECK(sorted_names(checkpoints.folder()) == before);
  CHECK(read_checkpoint(checkpoints.path_of(7)).state.steps == 7);
}

TEST_CASE("checkpoint: the folder keeps the newest and the best, and begins without left-overs and later ones") {
  const ScratchDirectory scratch;
  const engine::ParameterStore store = numbered_store(small_layout());
  CheckpointStore checkpoints(scratch / "checkpoints", 2);
  checkpoints.begin(-1);
  for (const std::int64_t step : {4, 5, 6, 7, 8}) checkpoints.save(some_state(step), store);  // 4 is the best
  checkpoints.wait();
  CHECK(sorted_names(checkpoints.folder()) ==
        std::vector<std::string>{"step-000000000004.safetensors", "step-000000000007.safetensors", "step-000000000008.safetensors"});
  write_text(checkpoints.folder() / ".step-000000000009.safetensors.partial-1-2", "x");
  write_text(checkpoints.folder() / "step-mine.safetensors", "x");
  CHECK(checkpoints.begin(7, 4) == 1);
  CHECK(sorted_names(checkpoints.folder()) ==
        std::vector<std::string>{"step-000000000004.safetensors", "step-000000000007.safetensors", "step-mine.safetensors"});
  CHECK_THROWS_AS(CheckpointStore(scratch / "c", 0), std::invalid_argument);
  // Killed after a checkpoint had its name and before the older ones were removed.
  for (const int step : {2, 3, 5, 6}) write_text(checkpoints.path_of(step), "x");
  CHECK(checkpoints.begin(7, 3) == 0);
  CHECK(sorted_names(checkpoints.folder()) ==
        std::vector<std::string>{"step-000000000003.safetensors", "step-000000000006.safetensors", "step-000000000007.safetensors", "step-mine.safetensors"});
  const WithoutWriteAccess guard(checkpoints.folder());
  if (guard.effective()) CHECK_THROWS_AS(checkpoints.begin(-1), ResourceError);
}

TEST_CASE("checkpoint: how often, in words") {
  CHECK(parse_save_every("").each_epoch());
  CHECK(parse_save_every("500").steps == 500);
  CHECK(parse_save_every("0.5m").minutes == 0.5);
  CHECK(parse_save_every("3").due(3, 0));
  CHECK_FALSE(parse_save_every("3").due(2, 1e9));
  CHECK(parse_save_every("2m").due(1, 120));
  CHECK_FALSE(parse_save_every("2m").due(1000, 119));
  for (const char* wrong : {"0", "-1", "m", "0m", "-2m", "1h", "1.5", "nanm", "infm", "99999999999999999999"})
    CHECK(message_of<std::invalid_argument>([&] { parse_save_every(wrong); }).find(wrong) != std::string::npos);
}

TEST_CASE("checkpoint: options that change numbers are compared by value, others may differ") {
  CHECK(config_difference("lr=0.1\nout=\"a\"\n", "lr=1e-1\nout=\"b\"\nthreads=4\n").empty());
  CHECK(config_difference("lr=0.1\n", "lr=0.2\n") == "--lr is 0.2, it was 0.1");
  CHECK(config_difference("lr=0.1\n", "lr=0.1\nt2=true\n") == "--t2 is true, it was not given");
  CHECK(config_difference("model=\"resnet18\"\n", "model=\"resnet34\"\n").starts_with("--model is"));
  // Written before --ema was an option.
  CHECK(config_difference("lr=0.1\n", "lr=0.1\nema=0\n", "ema=0\nlr=0\n").empty());
  CHECK(config_difference("lr=0.1\n", "lr=0.1\nema=0.9\n", "ema=0\nlr=0\n") == "--ema is 0.9, it was 0");
}

TEST_CASE("checkpoint: what tasks run another algorithm is said") {
  const std::string a = "conv1\tforward\twinograd\tjit\nconv2\tforward\tdirect\tjit\n";
  CHECK(choices_difference(a, a).empty());
  CHECK(choices_difference(a, "conv1\tforward\twinograd\tjit\nconv2\tforward\tgemm\tref\n") ==
        "1 of 2 tasks run another algorithm, first conv2 forward: gemm ref was direct jit");
  CHECK_FALSE(choices_difference(a, "").empty());
  engine::Timings timings, again;
  timings.add("used", 1.0 / 3);
  timings.add("not asked for", 2);
  (void)timings.find("used");
  (void)timings.find("unknown");
  again.add("kept", 5);
  adopt_timings(timings_text(timings) + "x\tbroken\n7\tkept\nno tab", again);
  CHECK(again.all() == std::map<std::string, double>{{"kept", 5}, {"used", 1.0 / 3}});
}
