// What each way to fail ends with: the code that scripts build on, and one sentence.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <filesystem>

#include "engine/threads.hpp"
#include "tests/cli/program.hpp"
#include "train/safetensors.hpp"

namespace {
using namespace autodidact::cli::testing;
namespace fs = std::filesystem;

// No partly written file is left behind, visible or hidden.
void check_holds_only(const ScratchDirectory& folder, const std::vector<std::string>& names) {
  auto found = folder.names();
  std::sort(found.begin(), found.end());
  CHECK(found == names);
}
}  // namespace

TEST_CASE("program: without a command, or with --help, it says what there is") {
  const Outcome nothing = run("");
  CHECK(nothing.status == 2);
  CHECK(contains(nothing.err, "gradcheck"));
  const Outcome help = run("--help");
  CHECK(help.status == 0);
  for (const char* command : {"train", "eval", "predict", "calibrate", "init", "plan", "gradcheck", "trace", "data", "report", "info", "exit codes"})
    CHECK(contains(help.out, command));
}

TEST_CASE("program: every command explains its options") {
  for (const char* command : {"train", "eval", "predict", "calibrate", "init", "plan", "gradcheck", "trace", "data", "report", "info"}) {
    const Outcome help = run(std::string(command) + " --help");
    CAPTURE(command);
    CHECK(help.status == 0);
    CHECK(help.err.empty());
    for (const char* option : {"--config", "--dump-config", "--help"}) CHECK(contains(help.out, option));
  }
}

TEST_CASE("exit 2: misspelt commands, options and names are answered with what was meant") {
  check_failure(run("trian"), 2, {"unknown command trian", "did you mean train?"});
  check_failure(run("zzzzzzzz"), 2, {"unknown command zzzzzzzz", "autodidact --help"});
  check_failure(run("train --data synthetic:64 --out x --epoch 3"), 2, {"unknown option --epoch", "did you mean --epochs?"});
  check_failure(run("gradcheck --op batch_nrom"), 2, {"batch_nrom", "did you mean batch_norm?", "soft_cross_entropy"});
  check_failure(run("plan --model resnet19"), 2, {"resnet19", "resnet18", "wide_resnet101_2"});
  check_failure(run("train --data nonsense:x --out x"), 2, {"nonsense", "cifar100:DIR"});
}

TEST_CASE("exit 2: numbers that cannot be are refused with the numbers") {
  check_failure(run("init --out w.safetensors --model resnext50_32x4d --width 5"), 2, {"5", "multiple of 16"});
  check_failure(run("init --out w.safetensors --width 0"), 2, {"width", "0"});
  check_failure(run("plan --alpha 2"), 2, {"alpha", "2"});
  check_failure(run("plan --threads none"), 2, {"--threads"});
  check_failure(run("plan --batch 0"), 2, {"--batch"});
  check_failure(run("init"), 2, {"--out"});
}

TEST_CASE("exit 2: more of what cannot be meant") {
  check_failure(run("train -x"), 2, {"unknown option -x"});
  check_failure(run("init --out w --seed -1"), 2, {"--seed", "-1"});
  check_failure(run("plan --width 4294967304"), 2, {"--width", "4294967304"});
  check_failure(run("plan --width 99999999999999999999999"), 2, {"--width"});
  check_failure(run("plan --width 8 --width 16"), 2, {"--width is given more than once"});
  check_failure(run("plan --t2 --no-t2"), 2, {"--t2 and --no-t2 exclude each other"});
  check_failure(run("plan --feature-exits 1,4"), 2, {"--feature-exits", "1,4"});
  check_failure(run("plan --model resnet18 --dilate 3"), 2, {"resnet18", "dilated"});
}

TEST_CASE("exit 2: a number that would be read otherwise than it is written") {
  const std::string train = "train --dump-config --data synthetic:64 --out x ";
  for (const char* number : {"012", "-012", "99999999999999999999", "18446744073709551616", "-1"})
    check_failure(run(train + "--seed " + number), 2, {"--seed: ", number});
  for (const char* number : {"012", "-012", "9223372036854775808", "-9223372036854775809"})
    check_failure(run(train + "--max-steps " + number), 2, {"--max-steps: ", number});
  check_failure(run(train + "--epochs 012"), 2, {"--epochs: ", "012"});
  check_failure(run(train + "--size 012"), 2, {"--size: ", "012"});
  check_failure(run("calibrate --dump-config --data x --weights x --out x --seed -1"), 2, {"--seed: ", "-1"});
  check_failure(run("data --dump-config --data synthetic:64 --export x --limit -5"), 2, {"--limit: ", "-5"});
  check_failure(run("data --dump-config --data synthetic:64 --preview x --seed -1"), 2, {"--seed: ", "-1"});
  const ScratchDirectory folder;
  write_text(folder / "c.toml", "epochs=012\n");
  check_failure(run(train + "--config " + (folder / "c.toml").string()), 2, {"--epochs: ", "012"});
  for (const char* number : {"0", "18446744073709551615"}) {
    const Outcome good = run(train + "--max-steps 9223372036854775807 --seed " + number);
    CHECK(good.status == 0);
    CHECK(contains(good.out, std::string("\nseed=") + number + "\n"));
    CHECK(contains(good.out, "\nmax-steps=9223372036854775807\n"));
  }
}

TEST_CASE("exit 2: a training that cannot be started is refused before the data is read, and leaves no run behind") {
  const ScratchDirectory folder;
  const std::string train = "train --data cifar10:" + (folder / "none").string() + " --out " + (folder / "run").string() + kTinyNetwork;
  check_failure(run(train + "--lr nan"), 2, {"learning rate", "nan"});
  check_failure(run(train + "--epochs 2 --warmup 3"), 2, {"warmup", "0 to 2", "3"});
  check_failure(run(train + "--momentum 0 --nesterov"), 2, {"momentum"});
  check_failure(run(train + "--augment foo"), 2, {"foo", "crop-flip-cutout"});
  check_failure(run(train + "--epochs 0"), 2, {"--epochs"});
  check_failure(run(train + "--batch 1"), 2, {"--batch"});
  check_failure(run(train + "--recipe none --temperature 0"), 2, {"temperature"});
  check_holds_only(folder, {});
}

TEST_CASE("exit 2: an unknown key in a config file is named") {
  const ScratchDirectory folder;
  const fs::path config = folder / "c.toml";
  write_text(config, "epochz=3\n");
  check_failure(run("train --data synthetic:64 --out x --config " + config.string()), 2, {"epochz"});
  check_failure(run("plan --config " + (folder / "none.toml").string()), 2, {"none.toml"});
}

TEST_CASE("exit 3: data that is not there or not what it should be") {
  const ScratchDirectory folder;
  check_failure(run("train --out " + (folder / "run").string() + " --data cifar10:" + (folder / "none").string()), 3,
                {"none"});
  check_holds_only(folder, {});
  write_text(folder / "train-images-idx3-ubyte", "not an IDX file");
  check_failure(run("train --out " + (folder / "run").string() + " --data idx:" + folder.path().string()), 3, {"idx"});
  check_holds_only(folder, {"train-images-idx3-ubyte"});
}

TEST_CASE("exit 4: weights that are damaged or of another network") {
  const ScratchDirectory folder;
  const std::string w = (folder / "w.safetensors").string();
  write_text(w, "garbage");
  check_failure(run("eval" + kTinyData + "--weights " + w), 4, {"w.safetensors"});
  REQUIRE(run("init --out " + w + kTinyNetwork + kTinyImages).status == 0);
  const std::string whole = read_text(w);
  check_failure(run("eval" + kTinyData + "--width 16 --weights " + w), 4, {"w.safetensors", "(4,64)", "(4,128)"});
  write_text(w, whole.substr(0, whole.size() / 2));
  check_failure(run("eval" + kTinyData + "--weights " + w), 4, {"w.safetensors"});
  check_failure(run("eval" + kTinyData + "--weights " + (folder / "none").string()), 4, {"none"});
}

TEST_CASE("exit 4: metadata that describe no network, and numbers that are none") {
  const ScratchDirectory folder;
  const std::string w = (folder / "w.safetensors").string();
  REQUIRE(run("init --out " + w + kTinyNetwork + kTinyImages).status == 0);
  const auto file = autodidact::train::read_safetensors(w);
  std::vector<autodidact::train::TensorView> tensors;
  for (const auto& tensor : file.tensors) tensors.push_back({tensor.name, tensor.type, tensor.shape, tensor.bytes});
  const std::string eval = "eval" + kTinyData + "--weights " + w;
  const std::pair<const char*, const char*> bad[] = {
      {"width", "-8"}, {"width", "1e3"}, {"classes", "1000000000"}, {"model", "evil"}, {"recipe", "evil"}, {"stem", "evil"},
      {"pooling", "evil"}, {"side", "0"}, {"resize", "7"}, {"resize", "10000000"}, {"adaptation_exits", "[9]"}, {"dilated_stages", "[7]"}, {"dilated_stages", "[3]"},
      {"groups", "3"}, {"mean", "[0.5]"}, {"std", "[0,0,0]"}, {"class_names", "[1]"}};
  for (const auto& [key, value] : bad) {
    CAPTURE(key);
    auto metadata = file.metadata;
    metadata[key] = value;
    if (std::string(key) == "std") metadata["mean"] = "[0,0,0]";
    autodidact::train::write_safetensors(w, metadata, tensors);
    check_failure(run(eval), 4, {"w.safetensors", "metadata"});
  }
  for (const auto& [name, number] : {std::pair("bn1.running_var", -1.0F), std::pair("conv1.weight", std::nanf(""))}) {
    auto damaged = file;
    for (auto& tensor : damaged.tensors)
      if (tensor.name == name) std::memcpy(tensor.bytes.data() + 8, &number, sizeof number);
    tensors.clear();
    for (const auto& tensor : damaged.tensors) tensors.push_back({tensor.name, tensor.type, tensor.shape, tensor.bytes});
    autodidact::train::write_safetensors(w, file.metadata, tensors);
    check_failure(run(eval), 4, {"w.safetensors", name, "index 2"});
  }
}

TEST_CASE("exit 5: a learning rate that is far too large ends the run naming the first tensor, and publishes nothing") {
  const ScratchDirectory folder;
  const fs::path out = folder / "run";
  check_failure(run("train --lr 1e30 --schedule constant --epochs 3 --batch 16 --out " + out.string() + kTinyData + kTinyNetwork + kFixed),
                5, {"step 2", "first not finite", "--lr"});
  CHECK_FALSE(fs::exists(out / "last.safetensors"));
  for (const auto& entry : fs::directory_iterator(out)) CHECK_FALSE(contains(entry.path().string(), "partial"));
}

TEST_CASE("exit 5: weights so large that what follows from them is no number any more") {
  const ScratchDirectory folder;
  check_failure(run("train --weight-decay 1e37 --epochs 1 --max-steps 1 --batch 16 --out " + (folder / "run").string() + kTinyData +
                    kTinyNetwork + kFixed),
                5, {"of a batch to evaluate is not finite", "too large"});
}

TEST_CASE("exit 7: what cannot be written") {
  const ScratchDirectory folder;
  write_text(folder / "file", "");
  check_failure(run("init --out " + (folder / "none/w.safetensors").string() + kTinyNetwork), 7, {"none"});
  check_failure(run("train --out /proc/run" + kTinyData + kTinyNetwork), 7, {"/proc/run"});
  const Outcome early = run("gradcheck --op relu --json " + (folder / "none/x.json").string());
  check_failure(early, 7, {"none"});
  CHECK(early.out.empty());  // found out before the work
  check_failure(run("info --json /dev/full"), 7, {"/dev/full"});
  check_holds_only(folder, {"file"});
}

TEST_CASE("exit 7: standard output that is full") {
  if (!fs::exists("/dev/full")) return;
  for (const char* command : {"info", "info --json -", "plan --width 8 --choose fixed --batch 4", "--help", "plan --dump-config"}) {
    CAPTURE(command);
    const ScratchDirectory folder;
    const std::string err = (folder / "err").string();
    const int raw = std::system(("'" AUTODIDACT_PROGRAM "' " + std::string(command) + " >/dev/full 2>'" + err + "'").c_str());
    CHECK(WEXITSTATUS(raw) == 7);
    CHECK(ends_with_sentence(read_text(err)));
  }
}

TEST_CASE("exit 7: fewer threads than asked for") {
  if (autodidact::engine::threading_name() != "OpenMP" || autodidact::engine::allowed_cores() < 2) return;
  check_failure(run("info --threads 2", "OMP_THREAD_LIMIT=1"), 7, {"2 threads", "OMP_THREAD_LIMIT"});
}
