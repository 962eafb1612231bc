#include "data/loader.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <numeric>
#include <set>
#include <stdexcept>
#include <thread>
#include <utility>

#include "data/shard_order.hpp"
#include "data/synthetic.hpp"

using namespace autodidact::data;

namespace {

const Normalisation kPlain{{0}, {1}};

DatasetPointer samples(std::size_t count) {
  return make_synthetic({.train_samples = count, .channels = 1, .side = 8, .classes = 5},
                        Half::train);
}

struct Seen {
  std::vector<float> images;
  std::vector<std::int32_t> labels;
  std::uint64_t epoch;
  std::size_t index;
  bool operator==(const Seen&) const = default;
};

Seen copy(const Batch& batch) {
  return {{batch.images.begin(), batch.images.end()},
          {batch.labels.begin(), batch.labels.end()},
          batch.epoch,
          batch.index};
}

std::vector<Seen> epoch_of(Loader& loader) {
  std::vector<Seen> seen;
  while (const Batch* batch = loader.next()) seen.push_back(copy(*batch));
  return seen;
}

Augmentation crop_flip(const Dataset& data) {
  return Augmentation({.kind = Augment::crop_flip}, data.shape(), kPlain);
}

// Calls `before` with the number of each sample that is asked for, in the worker that asks.
class WatchedDataset final : public Dataset {
 public:
  WatchedDataset(std::size_t count, std::function<void(std::size_t)> before)
      : inner_(samples(count)), before_(std::move(before)) {}
  std::size_t size() const override { return inner_->size(); }
  ImageShape shape() const override { return inner_->shape(); }
  const std::vector<std::string>& class_names() const override { return inner_->class_names(); }
  void copy_image(std::size_t i, std::span<std::uint8_t> pixels) const override {
    before_(i);
    inner_->copy_image(i, pixels);
  }
  std::int32_t label(std::size_t i) const override { return inner_->label(i); }
  std::string origin(std::size_t i) const override { return inner_->origin(i); }

 private:
  DatasetPointer inner_;
  std::function<void(std::size_t)> before_;
};

// As if its samples lay in three files. Notes what is asked for, and whether what is read was asked for before.
class ShardedDataset final : public Dataset {
 public:
  explicit ShardedDataset(std::size_t count) : inner_(samples(count)) {}
  std::size_t size() const override { return inner_->size(); }
  ImageShape shape() const override { return inner_->shape(); }
  const std::vector<std::string>& class_names() const override { return inner_->class_names(); }
  void copy_image(std::size_t i, std::span<std::uint8_t> pixels) const override {
    unasked += std::find(asked.begin(), asked.end(), i) == asked.end();
    inner_->copy_image(i, pixels);
  }
  std::int32_t label(std::size_t i) const override { return inner_->label(i); }
  std::string origin(std::size_t i) const override { return inner_->origin(i); }
  std::vector<std::size_t> shards() const override { return {size() / 2, size() / 8, size() - size() / 2 - size() / 8}; }
  void read_ahead(std::span<const std::uint32_t> wanted) const override {
    asked.insert(asked.end(), wanted.begin(), wanted.end());
  }

  mutable std::vector<std::uint32_t> asked;
  mutable std::size_t unasked = 0;

 private:
  DatasetPointer inner_;
};

}  // namespace

TEST_CASE("one and three workers give the same bits, epoch after epoch") {
  const auto data = samples(53);
  Loader one(data, crop_flip(*data), {.batch = 8, .seed = 4, .workers = 1, .ahead = 2});
  Loader three(data, crop_flip(*data), {.batch = 8, .seed = 4, .workers = 3, .ahead = 7});
  for (int epoch = 0; epoch < 4; ++epoch) CHECK(epoch_of(one) == epoch_of(three));
}

TEST_CASE("an epoch holds each sample once, in another order than the epoch before") {
  const auto data = samples(41);
  Loader loader(data, Augmentation({}, data->shape(), kPlain), {.batch = 10, .seed = 4});
  std::vector<std::vector<float>> images[2];
  for (std::uint64_t epoch = 0; epoch < 2; ++epoch) {
    const auto batches = epoch_of(loader);
    REQUIRE(batches.size() == 4);
    CHECK(batches.back().labels.size() == 11);  // the 41st joins the batch before
    for (std::size_t b = 0; b < 4; ++b) {
      CHECK(batches[b].epoch == epoch);
      CHECK(batches[b].index == b);
      for (std::size_t i = 0; i < batches[b].labels.size(); ++i) {
        const auto first = batches[b].images.begin() + static_cast<std::ptrdiff_t>(i * 64);
        images[epoch].emplace_back(first, first + 64);
      }
    }
  }
  CHECK(std::set(images[0].begin(), images[0].end()).size() == 41);
  CHECK(images[0] != images[1]);
  std::sort(images[0].begin(), images[0].end());
  std::sort(images[1].begin(), images[1].end());
  CHECK(images[0] == images[1]);
}

TEST_CASE("sequential order is the dataset's own, with the right labels") {
  const auto data = samples(21);
  Loader loader(data, Augmentation({}, data->shape(), kPlain),
                {.batch = 5, .min_last = 1, .order = Order::sequential, .workers = 2});
  for (int epoch = 0; epoch < 2; ++epoch) {
    std::size_t sample = 0;
    std::vector<std::uint8_t> image(64);
    int wrong = 0;
    while (const Batch* batch = loader.next()) {
      CHECK(batch->count == (batch->index < 4 ? 5 : 1));
      CHECK(reinterpret_cast<std::uintptr_t>(batch->images.data()) % 64 == 0);
      for (std::size_t i = 0; i < batch->count; ++i, ++sample) {
        data->copy_image(sample, image);
        for (std::size_t p = 0; p < 64; ++p) {
          wrong += batch->images[i * 64 + p] != static_cast<float>(image[p] / 255.0);
        }
        CHECK(batch->labels[i] == data->label(sample));
      }
    }
    CHECK(sample == 21);
    CHECK(wrong == 0);
  }
}

TEST_CASE("augmentation differs from epoch to epoch and seed to seed") {
  const auto data = samples(8);
  const Loader::Options options{.batch = 8, .order = Order::sequential, .seed = 1};
  Loader loader(data, crop_flip(*data), options);
  const auto first = epoch_of(loader), second = epoch_of(loader);
  CHECK(first[0].labels == second[0].labels);
  CHECK(first[0].images != second[0].images);
  auto other_seed = options;
  other_seed.seed = 2;
  Loader other(data, crop_flip(*data), other_seed);
  CHECK(epoch_of(other)[0].images != first[0].images);
}

TEST_CASE("a restart in the middle of an epoch continues as if nothing had happened") {
  const auto data = samples(47);
  const Loader::Options options{.batch = 6, .seed = 9, .workers = 2};
  Loader whole(data, crop_flip(*data), options);
  std::vector<std::vector<Seen>> expected;
  for (int epoch = 0; epoch < 4; ++epoch) expected.push_back(epoch_of(whole));
  REQUIRE(expected[2].size() == 8);

  Loader resumed(data, crop_flip(*data), options);
  resumed.start(2, 3);
  CHECK(epoch_of(resumed) == std::vector<Seen>(expected[2].begin() + 3, expected[2].end()));
  CHECK(epoch_of(resumed) == expected[3]);
  resumed.start(1);  // back again
  CHECK(copy(*resumed.next()) == expected[1][0]);
  CHECK(copy(*resumed.next()) == expected[1][1]);
  resumed.start(1, 2);  // where it stands already
  CHECK(copy(*resumed.next()) == expected[1][2]);
  resumed.start(1, 2);  // the one it has just given
  CHECK(copy(*resumed.next()) == expected[1][2]);
  resumed.start(0, 8);  // the end of an epoch
  CHECK(resumed.next() == nullptr);
  CHECK(epoch_of(resumed) == expected[1]);
  CHECK_THROWS_WITH_AS(resumed.start(0, 9), "loader: batch 9 does not exist, an epoch has 8",
                       std::invalid_argument);
}

TEST_CASE("of shards every sample is asked for before it is read, once an epoch, each shard from front to end") {
  constexpr std::size_t kSamples = 12'000, kBatch = 1000;
  for (const Order order : {Order::shuffled, Order::sequential}) {
    const auto data = std::make_shared<ShardedDataset>(kSamples);
    {
      Loader loader(data, Augmentation({}, data->shape(), kPlain),
                    {.batch = kBatch, .order = order, .seed = 3, .workers = 1, .ahead = 1});
      for (std::size_t b = 0; b < kSamples / kBatch; ++b) REQUIRE(loader.next() != nullptr);
    }
    // What the worker asked for of the next epoch, if anything, stands behind.
    std::vector<std::uint32_t> expected(kSamples);
    std::iota(expected.begin(), expected.end(), 0u);
    if (order == Order::shuffled) expected = shard_sequence(data->shards(), 3, 0);
    REQUIRE(data->asked.size() >= kSamples);
    data->asked.resize(kSamples);
    CHECK((data->asked == expected));
    CHECK(data->unasked == 0);
  }
}

TEST_CASE("what goes wrong in a worker reaches the consumer at its batch, until it starts again") {
  std::atomic<bool> cured = false;
  const auto data = std::make_shared<WatchedDataset>(20, [&](std::size_t i) {
    if (i == 13 && !cured) throw std::runtime_error("sample 13 is bad");
  });
  Loader loader(data, Augmentation({}, data->shape(), kPlain),
                {.batch = 5, .order = Order::sequential, .workers = 3});
  CHECK(loader.next()->index == 0);
  CHECK(loader.next()->index == 1);
  CHECK_THROWS_WITH_AS(loader.next(), "sample 13 is bad", std::runtime_error);
  CHECK_THROWS_WITH_AS(loader.next(), "sample 13 is bad", std::runtime_error);
  cured = true;
  loader.start(0, 2);
  CHECK(loader.next()->index == 2);
  CHECK(loader.next()->index == 3);
  CHECK(loader.next() == nullptr);
}

TEST_CASE("a loader can be dropped and restarted at any moment") {
  const auto data = samples(300);
  for (int round = 0; round < 40; ++round) {
    Loader loader(data, crop_flip(*data), {.batch = 16, .workers = 1 + round % 4, .ahead = 3});
    if (round % 2) loader.start(static_cast<std::uint64_t>(round), 5);
    for (int i = 0; i < round % 7; ++i) CHECK(loader.next() != nullptr);
    if (round % 3 == 0) loader.start(1000);
  }
}

TEST_CASE("as many workers as are asked for make batches at the same time") {
  constexpr int kWorkers = 8;
  std::mutex mutex;
  std::condition_variable all_here;
  int here = 0, most = 0;
  const auto data = std::make_shared<WatchedDataset>(kWorkers, [&](std::size_t) {
    std::unique_lock lock(mutex);
    most = std::max(most, ++here);
    all_here.notify_all();
    all_here.wait_for(lock, std::chrono::seconds(10), [&] { return most == kWorkers; });
    --here;
  });
  Loader loader(data, Augmentation({}, data->shape(), kPlain),
                {.batch = 1, .min_last = 1, .workers = kWorkers});
  CHECK(loader.next() != nullptr);
  const std::lock_guard lock(mutex);
  CHECK(most == kWorkers);
}

TEST_CASE("waiting for a batch is counted and being ahead is not") {
  using Clock = std::chrono::steady_clock;
  std::atomic<bool> ahead = false;
  const auto data = std::make_shared<WatchedDataset>(64, [&](std::size_t i) {
    if (i == 32) {  // the one worker has made four batches
      ahead = true;
      ahead.notify_all();
    }
    if (i % 8 == 0 && ahead) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  });
  Loader loader(data, Augmentation({}, data->shape(), kPlain),
                {.batch = 8, .order = Order::sequential, .ahead = 4});
  ahead.wait(false);
  for (int i = 0; i < 4; ++i) REQUIRE(loader.next() != nullptr);
  CHECK(loader.starved_seconds() == 0);
  const auto start = Clock::now();
  // Nobody who only takes batches can be slower than they are made, again and again.
  for (int i = 0; i < 1000 && loader.starved_seconds() == 0; ++i) loader.next();
  CHECK(loader.starved_seconds() > 0);
  CHECK(loader.starved_seconds() <= std::chrono::duration<double>(Clock::now() - start).count());
}

TEST_CASE("loader options out of range are refused") {
  const auto data = samples(10);
  const Augmentation augmentation = crop_flip(*data);
  CHECK_THROWS_WITH_AS(Loader(data, augmentation, {.workers = 0}),
                       "loader: workers must be 1 to 64, got 0", std::invalid_argument);
  CHECK_THROWS_WITH_AS(Loader(data, augmentation, {.ahead = 0}),
                       "loader: ahead must be 1 to 1024, got 0", std::invalid_argument);
  CHECK_THROWS_AS(Loader(data, augmentation, {.batch = 0}), std::invalid_argument);
  CHECK_THROWS_WITH_AS(Loader(data, Augmentation({}, {1, 9, 9}, kPlain), {}),
                       "loader: the augmentation was made for images of another shape",
                       std::invalid_argument);
}

TEST_CASE("mixed batches have two labels a picture and the same bits for any number of workers") {
  const auto data = samples(41);
  const Augmentation plain({}, data->shape(), kPlain);
  Loader unmixed(data, plain, {.batch = 10, .seed = 4});
  Loader one(data, plain, {.batch = 10, .seed = 4, .mixing = {.mixup = 1, .cutmix = 1}});
  Loader three(data, plain,
               {.batch = 10, .seed = 4, .mixing = {.mixup = 1, .cutmix = 1}, .workers = 3});
  for (int epoch = 0; epoch < 3; ++epoch) {
    while (const Batch* batch = one.next()) {
      const Batch* pure = unmixed.next();
      const Batch* other = three.next();
      REQUIRE((pure && other));
      CHECK(pure->second_labels.empty());
      CHECK(pure->weight == 1);
      CHECK(std::ranges::equal(batch->images, other->images));
      CHECK(std::ranges::equal(batch->labels, pure->labels));
      CHECK(batch->weight == other->weight);
      if (batch->weight == 1) continue;  // an empty box
      REQUIRE(batch->second_labels.size() == batch->count);
      std::vector<std::int32_t> reversed(batch->labels.rbegin(), batch->labels.rend());
      CHECK(std::ranges::equal(batch->second_labels, reversed));
      std::vector<float> images(pure->images.begin(), pure->images.end());
      mix_images(draw_mix({.mixup = 1, .cutmix = 1}, data->shape(),
                          {4, autodidact::engine::Purpose::mixing, batch->epoch, batch->index}),
                 images, data->shape(), batch->count);
      CHECK(std::ranges::equal(batch->images, images));
    }
    CHECK(unmixed.next() == nullptr);
    CHECK(three.next() == nullptr);
  }
  CHECK_THROWS_WITH_AS(Loader(data, plain, {.mixing = {.mixup = -1}}),
                       "the A of mixup must be 0 or 0.001 to 1000, got -1", std::invalid_argument);
}
