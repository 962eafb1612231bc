// What `train` does with --augment, --mixup, --cutmix and --label-smoothing.
#include <doctest/doctest.h>

#include <filesystem>

#include "tests/cli/program.hpp"

namespace {
using namespace autodidact::cli::testing;
namespace fs = std::filesystem;

// The weights after two steps.
std::string trained(const std::string& options) {
  const ScratchDirectory folder;
  const fs::path out = folder / "run";
  const Outcome outcome = run("train --epochs 1 --max-steps 2 --batch 16 --seed 1 --out " + out.string() + kTinyData +
                              kTinyNetwork + kFixed + options);
  INFO(options, outcome.err);
  REQUIRE(outcome.status == 0);
  return read_text(out / "last.safetensors");
}

void check_refused(const std::string& options, const std::string& part) {
  const ScratchDirectory folder;
  const Outcome outcome = run("train --out " + (folder / "run").string() + kTinyData + options);
  INFO(outcome.err);
  CHECK(outcome.status == 2);
  CHECK(ends_with_sentence(outcome.err));
  CHECK(contains(outcome.err, part));
  CHECK_FALSE(fs::exists(folder / "run"));
}
}  // namespace

TEST_CASE("train: every augmentation trains, alike for one seed and each in its own way") {
  const std::string plain = trained("");
  CHECK((trained("--augment crop-flip --mixup 0 --cutmix 0 --label-smoothing 0") == plain));  // the defaults
  for (const char* options : {"--augment none", "--augment crop-flip-cutout", "--augment seed", "--augment seed:svhn",
                              "--augment randaugment:1,14", "--mixup 1", "--cutmix 1", "--label-smoothing 0.1"}) {
    CAPTURE(options);
    const std::string other = trained(options);
    CHECK((other != plain));
  }
  CHECK((trained("--augment seed --mixup 0.2 --cutmix 1") == trained("--augment seed --mixup 0.2 --cutmix 1")));
}

TEST_CASE("train: augmentations that cannot be are refused before anything is written") {
  check_refused("--augment autoaugment", "unknown augmentation \"autoaugment\", expected one of none");
  check_refused("--augment seed:cifar100", "cifar10, imagenet, svhn");
  check_refused("--augment randaugment:2", "randaugment:N,M");
  check_refused("--mixup -1", "the A of mixup must be 0 or 0.001 to 1000, got -1");
  check_refused("--cutmix nan", "the A of CutMix");
  check_refused("--label-smoothing 1.5", "--label-smoothing must be 0 to 1, got 1.5");
}

TEST_CASE("train: compat follows the published program's augmentation unless another is given") {
  const auto weights = [](const std::string& options) {
    const ScratchDirectory folder;
    const fs::path out = folder / "run";
    const Outcome outcome = run("train --compat seed --epochs 1 --max-steps 2 --batch 16 --out " + out.string() +
                                " --data synthetic:64,classes=4 --width 8" + kFixed + options);
    INFO(outcome.err);
    REQUIRE(outcome.status == 0);
    return read_text(out / "last.safetensors");
  };
  const std::string compat = weights("");
  CHECK((compat == weights("--augment seed")));
  CHECK((compat != weights("--augment crop-flip")));
}
