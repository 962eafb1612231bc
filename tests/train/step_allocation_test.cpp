// A step allocates nothing: everything was allocated when its program was compiled. oneDNN, TBB and libgomp do allocate a few
// hundred bytes a call; nobody allocates a block that could be a tensor.
#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "engine/onednn.hpp"
#include "tests/allocations.hpp"
#include "train/trainer.hpp"

namespace {
using namespace autodidact;
using testing::Allocation, testing::AllocationRecording;

constexpr std::size_t kTensorBytes = 64 << 10;

// Runs `work` and says who allocated.
std::vector<Allocation> allocations_of(const auto& work) {
  AllocationRecording recording;
  recording.start();
  work();
  return recording.stop();
}

std::size_t count_ours(const std::vector<Allocation>& all) {
  return static_cast<std::size_t>(
      std::count_if(all.begin(), all.end(), [](const Allocation& one) { return one.ours; }));
}

void check_nothing_of_ours(const std::vector<Allocation>& all) {
  std::string who;
  for (const Allocation& one : all)
    if (one.ours && who.size() < 2000) who += one.caller + "\n";
  INFO(count_ours(all), " of ", all.size(), " are ours:\n", who);
  CHECK(count_ours(all) == 0);
  CHECK(all.size() < AllocationRecording::kMost);
}

// Memory that the compiler cannot prove to be unused.
void touch(const void* memory) { asm volatile("" : : "r"(memory) : "memory"); }
}  // namespace

TEST_CASE("allocations are seen in every way they can be made, and by whom") {
  if (!testing::allocations_are_seen()) return;
  CHECK(allocations_of([] {}).empty());
  const auto all = allocations_of([] {
    touch(std::make_unique<int>(1).get());
    std::vector<double> numbers(kTensorBytes);
    touch(numbers.data());
    std::string text(100, 'a');
    text.append(1000, 'b');  // inside the C++ library
    touch(text.data());
    touch(std::unique_ptr<void, void (*)(void*)>(std::aligned_alloc(64, 128), std::free).get());
    std::jthread([] { touch(std::make_unique<long>(1).get()); });
  });
  CHECK(count_ours(all) >= 6);
  CHECK(std::any_of(all.begin(), all.end(),
                    [](const Allocation& one) { return one.bytes == sizeof(int) && one.ours; }));
  CHECK(std::any_of(all.begin(), all.end(),
                    [](const Allocation& one) { return one.bytes == sizeof(long) && one.ours; }));
  CHECK(std::any_of(all.begin(), all.end(),
                    [](const Allocation& one) { return one.bytes == 128 && one.ours; }));
  CHECK(std::any_of(all.begin(), all.end(), [](const Allocation& one) {
    return one.bytes == kTensorBytes * sizeof(double);
  }));
}

TEST_CASE("a warm step allocates nothing of ours, and nobody a tensor's worth, whatever the optimizer does beside") {
  if (!testing::allocations_are_seen()) return;
  train::TrainerOptions options;
  SUBCASE("SGD") {}
  SUBCASE("AdamW, clipped and averaged, in micro-batches") {
    options.optimizer = optim::AdamwOptions{};
    options.clip_norm = 0.1;
    options.average_decay = 0.9;
    options.micro_batches = 2;
  }
  SUBCASE("LARS") { options.optimizer = optim::LarsOptions{}; }
  options.network.width = 32;
  options.network.classes = 10;
  options.network.image_height = options.network.image_width = 16;
  options.programs.choose = engine::Choose::fixed;
  engine::Lanes lanes;
  train::Trainer trainer(options, lanes);
  const std::vector<float> images(8 * 3 * 16 * 16, 0.5F);
  const std::vector<std::int32_t> labels{0, 1, 2, 3, 4, 5, 6, 7};
  data::Batch batch;
  batch.images = images;
  batch.labels = labels;
  batch.count = labels.size();
  train::Tally tally;
  for (int warm = 0; warm < 2; ++warm) trainer.step(batch, 0.01, &tally);

  const auto step = allocations_of([&] { trainer.step(batch, 0.01, &tally); });
  check_nothing_of_ours(step);
  // Where the library falls back to general matrix products (no AVX-512), it allocates their work space itself.
  if (!engine::onednn::has_avx512()) return;
  for (const Allocation& one : step) {
    CAPTURE(one.caller);
    CHECK(one.bytes < kTensorBytes);
  }
}
