// A run that is stopped and goes on gives the bits of one that never stopped, however it was stopped.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <sstream>
#include <thread>

#include "tests/cli/program.hpp"
#include "train/safetensors.hpp"

namespace {
using namespace autodidact::cli::testing;
using Json = nlohmann::json;
namespace fs = std::filesystem;

// 12 steps an epoch; and 60, where the rows after every 50 steps of an epoch matter.
const std::string kNetwork = " --model resnet18 --width 4 --choose fixed --threads 2 --lr 0.01 ";
const std::string kShort = "train --batch 4 --epochs 3 --data synthetic:54,side=8,classes=4" + kNetwork;
const std::string kLong = "train --batch 2 --epochs 4 --data synthetic:134,side=8,classes=4" + kNetwork;

// Every row without the speed, which no two runs share.
std::string rows_of(const fs::path& run) {
  std::string rows;
  std::istringstream lines(read_text(run / "metrics.jsonl"));
  for (std::string line; std::getline(lines, line);) rows += line.substr(0, line.find(",\"images_per_s\"")) + "\n";
  return rows;
}

void check_same(const fs::path& run, const fs::path& other) {
  for (const char* file : {"last.safetensors", "best.safetensors", "exits.svg"}) {
    CAPTURE(file);
    CHECK(read_text(run / file) == read_text(other / file));
  }
  CHECK(rows_of(run) == rows_of(other));
}

// Makes a checkpoint one of a program that had no such option.
void forget_option(const fs::path& checkpoint, const std::string& name) {
  using namespace autodidact::train;
  const SafetensorsFile file = read_safetensors(checkpoint);
  const auto config = file.require("config", FileType::u8).values<std::uint8_t>();
  std::string kept;
  std::istringstream lines(std::string(config.begin(), config.end()));
  for (std::string line; std::getline(lines, line);)
    if (!line.starts_with(name + "=")) kept += line + "\n";
  REQUIRE(kept.size() < config.size());
  std::vector<TensorView> tensors;
  for (const TensorRecord& tensor : file.tensors)
    if (tensor.name != kSealName && tensor.name != "config") tensors.push_back({tensor.name, tensor.type, tensor.shape, tensor.bytes});
  tensors.push_back({"config", FileType::u8, {static_cast<std::int64_t>(kept.size())}, std::as_bytes(std::span(kept))});
  write_sealed_safetensors(checkpoint, file.metadata, tensors);
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

// How a child ended, if it has.
std::optional<int> ended(pid_t child) {
  int status = 0;
  return ::waitpid(child, &status, WNOHANG) == child ? std::optional(status) : std::nullopt;
}

// Whether it comes to be so in a minute, and before the program ends; which is not waited for.
template <class Ready>
bool wait_until(pid_t child, const Ready& ready) {
  for (int i = 0; i < 60000; ++i) {
    if (ready()) return true;
    siginfo_t info{};
    if (::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == child) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

// Opens a named pipe for writing when the program has begun to read it; else −1.
int open_when_read(const fs::path& path, pid_t child) {
  int pipe = -1;
  wait_until(child, [&] { return (pipe = ::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC)) >= 0; });
  return pipe;
}

// Waits for the program's end, and returns it as wait() says it.
int end_of(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

// Sends the signal as soon as `ready`, and returns how the program ended, as wait() says it.
template <class Ready>
int interrupt(const std::string& arguments, int signal, const fs::path& err, const Ready& ready) {
  const pid_t child = start(arguments, err);
  wait_until(child, ready);
  ::kill(child, signal);
  return end_of(child);
}

void check_refused(const Outcome& outcome, int status, const std::vector<std::string>& parts) {
  INFO(outcome.err);
  CHECK(outcome.status == status);
  CHECK(ends_with_sentence(outcome.err));
  for (const std::string& part : parts) {
    CAPTURE(part);
    CHECK(contains(outcome.err, part));
  }
}
}  // namespace

TEST_CASE("resume: after SIGTERM, SIGINT and SIGUSR1 in the middle of epochs the run ends with the same bits; the code is 75") {
  const ScratchDirectory folder;
  const std::string out = (folder / "run").string();
  REQUIRE(run(kLong + "--out " + (folder / "whole").string()).status == 0);
  int stops = 0;
  for (const int signal : {SIGTERM, SIGINT, SIGUSR1}) {
    const fs::path err = folder / fmt::format("err{}", signal);
    const int status = interrupt(kLong + "--resume auto --out " + out, signal, err, [&] {
      // The first behind the row of step 50, so that there is one to go on from; the others after any step.
      return stops == 0 ? !rows_of(folder / "run").empty() : contains(read_text(err), "\nepoch ");
    });
    INFO(read_text(err));
    REQUIRE(WIFEXITED(status));
    if (WEXITSTATUS(status) == 0) break;
    CHECK(WEXITSTATUS(status) == 75);
    CHECK(ends_with_sentence(read_text(err)));
    CHECK(contains(read_text(err), "saved after a signal"));
    CHECK(fs::exists(folder / "run/last.safetensors"));
    ++stops;
  }
  CHECK(stops > 0);
  const Outcome rest = run(kLong + "--resume auto --out " + out);
  INFO(rest.err);
  REQUIRE(rest.status == 0);
  CHECK(contains(rest.err, "goes on after step"));
  check_same(folder / "run", folder / "whole");
}

TEST_CASE("resume: --max-steps stops anywhere, and a run that is given more ends as one that had them at once") {
  const ScratchDirectory folder;
  REQUIRE(run(kShort + "--out " + (folder / "whole").string()).status == 0);
  for (const int steps : {1, 17, 24}) {
    CAPTURE(steps);
    const Outcome part = run(kShort + "--resume auto --max-steps " + std::to_string(steps) + " --out " + (folder / "run").string());
    INFO(part.err);
    REQUIRE(part.status == 0);
    const std::string rows = rows_of(folder / "run");
    REQUIRE(run(kShort + "--resume auto --max-steps " + std::to_string(steps) + " --out " + (folder / "run").string()).status == 0);
    CHECK(rows_of(folder / "run") == rows);  // what is done is not done again
  }
  REQUIRE(run(kShort + "--resume auto --out " + (folder / "run").string()).status == 0);
  check_same(folder / "run", folder / "whole");
  const auto names = names_in(folder / "run/checkpoints");
  CHECK(names.size() <= 3);
  CHECK(names.back() == "step-000000000036.safetensors");
}

TEST_CASE("resume: under every optimizer, averaged, clipped, frozen and in micro-batches, the bits are the same") {
  for (const char* variant : {"--optimizer adamw --ema 0.9 --clip-norm 0.5 --accumulate 2", "--optimizer lars --freeze-bn --accumulate 2",
                              "--ema 0.99 --nesterov --clip-norm 1 --save-every 5"}) {
    CAPTURE(variant);
    const ScratchDirectory folder;
    const std::string args = "train --batch 4 --epochs 2 --data synthetic:54,side=8,classes=4 --model resnet18 --width 4 --choose fixed --threads 2 " +
                             std::string(variant);
    REQUIRE(run(args + " --out " + (folder / "whole").string()).status == 0);
    for (const int steps : {7, 12}) {
      const Outcome part = run(args + " --resume auto --max-steps " + std::to_string(steps) + " --out " + (folder / "run").string());
      INFO(part.err);
      REQUIRE(part.status == 0);
    }
    fs::remove(folder / "run/best.safetensors");  // written again from the checkpoint of the best epoch
    const Outcome rest = run(args + " --resume auto --out " + (folder / "run").string());
    INFO(rest.err);
    REQUIRE(rest.status == 0);
    CHECK(contains(rest.err, "goes on after step"));
    check_same(folder / "run", folder / "whole");
  }
}

TEST_CASE("resume: a checkpoint by its path, into its own folder or another one") {
  const ScratchDirectory folder;
  REQUIRE(run(kShort + "--save-every 5 --keep 100 --out " + (folder / "whole").string()).status == 0);
  fs::copy(folder / "whole", folder / "own", fs::copy_options::recursive);
  const auto names = names_in(folder / "own/checkpoints");
  REQUIRE(names.size() > 3);
  const std::string second = names[1];
  const Outcome own = run(kShort + "--resume " + (folder / "own/checkpoints" / second).string() + " --out " + (folder / "own").string());
  INFO(own.err);
  REQUIRE(own.status == 0);
  CHECK(contains(own.err, "checkpoints of later steps are removed"));
  check_same(folder / "own", folder / "whole");
  const std::string middle = (folder / "whole/checkpoints" / names[names.size() - 2]).string();
  REQUIRE(run(kShort + "--resume " + middle + " --out " + (folder / "other").string()).status == 0);
  check_same(folder / "other", folder / "whole");
  check_refused(run(kShort + "--resume " + middle + " --out " + (folder / "other").string()), 2, {"already holds a run"});
}

TEST_CASE("resume: what would change the numbers is refused, naming the option; --epochs grows with a constant rate only") {
  const ScratchDirectory folder;
  const std::string out = " --resume auto --out " + (folder / "run").string();
  REQUIRE(run(kShort + "--max-steps 3" + out).status == 0);
  const auto without = [&](const std::string& part) {
    std::string text = kShort;
    return text.erase(text.find(part), part.size());
  };
  check_refused(run(without("--lr 0.01") + "--lr 0.02" + out), 2, {"--lr is 0.02, it was 0.01"});
  check_refused(run(without("--batch 4") + "--batch 6" + out), 2, {"--batch is 6, it was 4"});
  check_refused(run(kShort + "--seed 5" + out), 2, {"--seed is 5, it was 0"});
  check_refused(run(kShort + "--recipe scan" + out), 2, {"--recipe"});
  check_refused(run(without("--width 4") + "--width 8" + out), 2, {"--width is 8, it was 4"});
  check_refused(run(without("--choose fixed") + "--choose direct" + out), 2, {"--choose"});
  check_refused(run(without("synthetic:54,side=8,classes=4") + out + " --data synthetic:54,side=8,classes=4,seed=1"), 2, {"--data"});
  check_refused(run(without("--epochs 3") + "--epochs 4" + out), 2, {"--epochs is 4, it was 3", "--schedule constant"});
  check_refused(run(kShort + "--overwrite" + out), 2, {"--resume and --overwrite"});
  check_refused(run(kShort + "--save-every 1h" + out), 2, {"--save-every", "1h"});

  const std::string constant = without("--epochs 3") + "--schedule constant ";
  REQUIRE(run(constant + "--epochs 2 --out " + (folder / "grown").string()).status == 0);
  REQUIRE(run(constant + "--epochs 3 --resume auto --out " + (folder / "grown").string()).status == 0);
  REQUIRE(run(constant + "--epochs 3 --out " + (folder / "at_once").string()).status == 0);
  check_same(folder / "grown", folder / "at_once");
}

TEST_CASE("resume: an option that is newer than the checkpoint has its default there") {
  const ScratchDirectory folder;
  const std::string out = " --resume auto --out " + (folder / "run").string();
  REQUIRE(run(kShort + "--max-steps 3" + out).status == 0);
  const auto names = names_in(folder / "run/checkpoints");
  REQUIRE(names.size() == 1);
  forget_option(folder / "run/checkpoints" / names[0], "clip-norm");
  check_refused(run(kShort + "--clip-norm 5" + out), 2, {"--clip-norm is 5, it was 0"});
  CHECK(run(kShort + "--max-steps 4" + out).status == 0);
}

TEST_CASE("resume: a folder of checkpoints that cannot be read is no reason to start anew") {
  const ScratchDirectory folder;
  const std::string out = " --resume auto --out " + (folder / "run").string();
  REQUIRE(run(kShort + out).status == 0);
  const auto before = names_in(folder / "run");
  fs::rename(folder / "run/checkpoints", folder / "elsewhere");
  fs::create_symlink(folder / "not_mounted", folder / "run/checkpoints");
  check_refused(run(kShort + out), 7, {"run/checkpoints"});
  check_refused(run(kShort + "--overwrite --out " + (folder / "run").string()), 7, {"run/checkpoints"});
  CHECK(names_in(folder / "run") == before);
}

TEST_CASE("resume: a signal while a run is being prepared ends it with code 75 as well, and it goes on to the same bits") {
  const ScratchDirectory folder;
  const fs::path options = folder / "options.toml";
  const std::string out = (folder / "run").string();
  REQUIRE(run(kShort + "--out " + (folder / "whole").string()).status == 0);
  REQUIRE(::mkfifo(options.c_str(), 0600) == 0);
  const auto check_interrupted = [&](const std::string& resume, const char* said) {
    const pid_t child = start(kShort + resume + "--config " + options.string() + " --out " + out, folder / "err");
    const int pipe = open_when_read(options, child);
    INFO(read_text(folder / "err"));
    REQUIRE(pipe >= 0);  // the program waits for its options and has done nothing yet
    ::kill(child, SIGUSR1);
    ::close(pipe);
    const int status = end_of(child);
    INFO(read_text(folder / "err"));
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 75);
    CHECK(ends_with_sentence(read_text(folder / "err")));
    CHECK(contains(read_text(folder / "err"), said));
  };
  check_interrupted("", "saved after a signal at step 0;");
  REQUIRE(run(kShort + "--resume auto --max-steps 17 --out " + out).status == 0);
  check_interrupted("--resume auto ", "saved after a signal at step 17;");
  REQUIRE(run(kShort + "--resume auto --out " + out).status == 0);
  check_same(out, folder / "whole");
}

TEST_CASE("resume: a signal before all images of a folder were looked at ends with code 75 at once") {
  const ScratchDirectory folder;
  const fs::path options = folder / "options.toml";
  const std::string cache = "XDG_CACHE_HOME='" + (folder / "cache").string() + "'", out = (folder / "run").string();
  REQUIRE(run("data --data synthetic:40,side=8,classes=4 --export " + (folder / "images").string()).status == 0);
  const std::string train = "train --epochs 1 --batch 16 --data folder:" + (folder / "images").string() + kTinyNetwork + kFixed + "--out " + out;
  REQUIRE(::mkfifo(options.c_str(), 0600) == 0);
  const pid_t child = start(train + " --config " + options.string(), folder / "err", cache);
  const int pipe = open_when_read(options, child);
  REQUIRE(pipe >= 0);
  ::kill(child, SIGTERM);
  ::close(pipe);
  const int status = end_of(child);
  INFO(read_text(folder / "err"));
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 75);
  CHECK(contains(read_text(folder / "err"), "was broken off; what was seen is kept"));
  CHECK_FALSE(fs::exists(out));
  CHECK(run(train + " --resume auto", cache).status == 0);
}

TEST_CASE("resume: a second signal while a run is being prepared ends it at once") {
  const ScratchDirectory folder;
  const fs::path options = folder / "options.toml";
  REQUIRE(::mkfifo(options.c_str(), 0600) == 0);
  const pid_t child = start(kShort + "--config " + options.string() + " --out " + (folder / "run").string(), folder / "err");
  const int pipe = open_when_read(options, child);
  REQUIRE(pipe >= 0);
  ::kill(child, SIGUSR1);
  ::kill(child, SIGTERM);
  ::close(pipe);
  const int status = end_of(child);
  CHECK(WIFSIGNALED(status));
  CHECK_FALSE(fs::exists(folder / "run"));
}

TEST_CASE("resume: a signal while an epoch that --max-steps cut is judged leaves its checkpoint as it was") {
  const ScratchDirectory folder;
  const fs::path out = folder / "run", table = folder / "table";
  const std::string command = "train --batch 4 --epochs 2 --best-on-test --data synthetic:200,side=8,classes=4" + kNetwork + "--resume auto --out ";
  REQUIRE(run(command + (folder / "whole").string() + " --max-steps 6").status == 0);
  // A pipe that is full: the run cannot print its table, and so not end, before the signal has come.
  REQUIRE(::mkfifo(table.c_str(), 0600) == 0);
  const int pipe = ::open(table.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
  REQUIRE(pipe >= 0);
  std::array<char, 4096> bytes{};
  while (::write(pipe, bytes.data(), bytes.size()) > 0) {}
  const pid_t child = start(command + out.string() + " --max-steps 3 >" + table.string(), folder / "err");
  const bool cut = wait_until(child, [&] {
    const auto names = names_in(out / "checkpoints");
    return !names.empty() && names.front().starts_with("step-");
  });
  ::kill(child, SIGTERM);
  while (::read(pipe, bytes.data(), bytes.size()) > 0) {}
  const int status = end_of(child);
  ::close(pipe);
  INFO(read_text(folder / "err"));
  REQUIRE(cut);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 75);
  REQUIRE(run(command + out.string() + " --max-steps 6").status == 0);
  check_same(out, folder / "whole");
}

TEST_CASE("resume: a damaged checkpoint is passed over, or is exit code 4 where it is named") {
  const ScratchDirectory folder;
  const fs::path run_folder = folder / "run";
  const std::string out = " --out " + run_folder.string();
  REQUIRE(run(kShort + "--save-every 5 --keep 3 --max-steps 20" + out).status == 0);
  const auto names = names_in(run_folder / "checkpoints");
  REQUIRE(names.size() >= 2);
  const fs::path newest = run_folder / "checkpoints" / names.back();
  std::string bytes = read_text(newest);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  write_text(newest, bytes);
  check_refused(run(kShort + "--resume " + newest.string() + out), 4, {names.back(), "damaged"});
  fs::copy(run_folder, folder / "all", fs::copy_options::recursive);
  const Outcome rest = run(kShort + "--resume auto" + out);
  INFO(rest.err);
  REQUIRE(rest.status == 0);
  CHECK(contains(rest.err, names.back()));
  CHECK(contains(rest.err, "passed over"));
  REQUIRE(run(kShort + "--out " + (folder / "whole").string()).status == 0);
  check_same(run_folder, folder / "whole");

  for (const std::string& name : names_in(folder / "all/checkpoints")) write_text(folder / "all/checkpoints" / name, "x");
  check_refused(run(kShort + "--resume auto --out " + (folder / "all").string()), 4, {"can be read", "--overwrite"});
  check_refused(run(kShort + "--resume " + (folder / "none").string() + " --out " + (folder / "new").string()), 4, {"no such file"});
}

TEST_CASE("resume: --choose measure goes on with the algorithms that it had, without a cache") {
  const ScratchDirectory folder;
  const std::string measured = "train --batch 4 --epochs 1 --data synthetic:54,side=8,classes=4 --model resnet18 --width 8 --threads 2 "
                               "--lr 0.01 --plan-cache off --resume auto --out " + (folder / "run").string();
  REQUIRE(run(measured + " --max-steps 5").status == 0);
  fs::copy(folder / "run", folder / "twin", fs::copy_options::recursive);
  const Outcome first = run(measured);
  std::string twin = measured;
  twin.replace(twin.find((folder / "run").string()), std::string::npos, (folder / "twin").string());
  const Outcome second = run(twin);
  INFO(first.err, second.err);
  REQUIRE(first.status == 0);
  REQUIRE(second.status == 0);
  CHECK_FALSE(contains(first.err + second.err, "not to the same bits"));
  CHECK(read_text(folder / "run/last.safetensors") == read_text(folder / "twin/last.safetensors"));
  twin.replace(twin.find("--threads 2"), 11, "--threads 1");
  const Outcome fewer = run(twin);
  CHECK(fewer.status == 0);
  CHECK(contains(fewer.err, "2 threads, this is"));
  CHECK(contains(fewer.err, "not to the same bits"));
}

TEST_CASE("resume: ten kills at random moments while saving constantly") {
  const ScratchDirectory folder;
  const std::string args = kShort + "--save-every 1 --resume auto --out ";
  REQUIRE(run(args + (folder / "whole").string()).status == 0);
  std::minstd_rand random(20260101);
  int kills = 0;
  for (int attempt = 0; attempt < 10; ++attempt) {
    // From the moment that it trains, or any time before; what a run has done is left for the next.
    const auto milliseconds = std::chrono::milliseconds(random() % 60);
    const fs::path err = folder / fmt::format("err{}", attempt);
    const pid_t child = start(args + (folder / "run").string(), err);
    std::optional<int> status;
    for (int i = 0; i < 20000 && !status && attempt % 5 != 0; ++i) {
      if (contains(read_text(err), "\nepoch ")) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      status = ended(child);
    }
    std::this_thread::sleep_for(milliseconds);
    if (!status) status = ended(child);
    if (!status) {
      ::kill(child, SIGKILL);
      int raw = 0;
      ::waitpid(child, &raw, 0);
      kills += WIFSIGNALED(raw) ? 1 : 0;
    } else if (*status == 0) {  // it was done: from the beginning
      check_same(folder / "run", folder / "whole");
      fs::remove_all(folder / "run");
    } else {
      FAIL_CHECK(read_text(err));
    }
  }
  const Outcome rest = run(args + (folder / "run").string());
  INFO(rest.err);
  REQUIRE(rest.status == 0);
  CHECK(kills >= 5);
  check_same(folder / "run", folder / "whole");
  const auto kinds_in = [&](const char* name) {  // an event file is called by the second it was begun in
    auto names = names_in(folder / name);
    for (std::string& file : names)
      if (file.starts_with("events.")) file = "events";
    return names;
  };
  CHECK(kinds_in("run") == kinds_in("whole"));
  for (const char* name : {"run", "whole"}) {  // which of them are there beside the last is a matter of the disk's speed
    const auto names = names_in(folder / name / "checkpoints");
    CHECK(names.size() <= 3);
    CHECK(names.back() == "step-000000000036.safetensors");
    for (const std::string& file : names) CHECK(file.starts_with("step-"));
  }
}

TEST_CASE("resume: a full disk ends the run with exit code 7 and leaves the older checkpoint, from which it goes on") {
  const ScratchDirectory folder;
  const std::string out = " --resume auto --out " + (folder / "run").string();
  REQUIRE(run(kShort + "--max-steps 3" + out).status == 0);
  const auto before = names_in(folder / "run/checkpoints");
  const std::string program = "'" AUTODIDACT_PROGRAM "' ";
  // Room for the weights (about 300 kB), not for a checkpoint, which also has momentum.
  const auto weights = fs::file_size(folder / "run/last.safetensors") / 1024 + 8;
  const std::string err = (folder / "err").string();
  const int raw = std::system(("trap '' XFSZ; ulimit -f " + std::to_string(weights * 2) + "; exec " + program + kShort + "--save-every 2" + out +
                               " >/dev/null 2>'" + err + "'").c_str());
  INFO(read_text(err));
  CHECK(WEXITSTATUS(raw) == 7);
  CHECK(ends_with_sentence(read_text(err)));
  CHECK(contains(read_text(err), "step-0000"));
  CHECK(names_in(folder / "run/checkpoints") == before);
  REQUIRE(run(kShort + out).status == 0);
  REQUIRE(run(kShort + "--out " + (folder / "whole").string()).status == 0);
  check_same(folder / "run", folder / "whole");
}
