#include "data/loader.hpp"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <utility>

#include "data/shard_order.hpp"
#include "engine/random.hpp"

namespace autodidact::data {

namespace {

constexpr std::size_t kAlignment = 64;  // one cache line, one AVX-512 register

template <typename T>
void check_range(const char* name, T value, T low, T high) {
  if (value < low || value > high) {
    throw std::invalid_argument(
        fmt::format("loader: {} must be {} to {}, got {}", name, low, high, value));
  }
}

}  // namespace

// What one worker needs to fill a slot, shared with nobody.
class Loader::Worker {
 public:
  Worker(const Loader& loader, const Augmentation& augmentation)
      : loader_(loader), augmentation_(augmentation) {}

  // Gives up between two samples where `stop` or a restart asks for it; nobody will look at the slot then.
  void fill(Slot& slot, std::uint64_t ticket, const std::stop_token& stop) {
    const BatchPlan& plan = loader_.plan_;
    const std::uint64_t epoch = ticket / plan.count();
    const std::size_t index = ticket % plan.count(), count = plan.size(index);
    const std::size_t floats = augmentation_.shape().bytes();
    sort_out(epoch);
    read_ahead(plan.begin(index), plan.begin(index) + count);
    for (std::size_t i = 0; i < count; ++i) {
      if (stop.stop_requested() || loader_.restarting_) return;
      const std::size_t position = plan.begin(index) + i;
      const std::size_t sample = order_.empty() ? position : order_[position];
      engine::Random random(loader_.options_.seed, engine::Purpose::augmentation, epoch, sample);
      augmentation_.load(*loader_.dataset_, sample, random);
      augmentation_.apply(random, {slot.images.get() + i * floats, floats});
      slot.labels[i] = loader_.dataset_->label(sample);
    }
    slot.batch = {
        {slot.images.get(), count * floats}, {slot.labels.data(), count}, count, epoch, index};
    mix(slot);
  }

 private:
  void mix(Slot& slot) const {
    Batch& batch = slot.batch;
    const ImageShape shape = augmentation_.shape();
    const Mix mix = draw_mix(
        loader_.options_.mixing, shape,
        {loader_.options_.seed, engine::Purpose::mixing, batch.epoch, batch.index});
    if (mix.weight == 1) return;
    mix_images(mix, {slot.images.get(), batch.images.size()}, shape, batch.count);
    slot.second_labels.assign(batch.labels.rbegin(), batch.labels.rend());
    batch.second_labels = slot.second_labels;
    batch.weight = mix.weight;
  }

  // Each worker shuffles for itself: a millisecond an epoch, and nothing to share.
  void sort_out(std::uint64_t epoch) {
    if (epoch == order_epoch_) return;
    order_epoch_ = epoch;
    has_asked_ = false;
    const std::vector<std::size_t> shards = loader_.dataset_->shards();
    const std::uint64_t seed = loader_.options_.seed;
    if (loader_.options_.order == Order::sequential) {
      if (!shards.empty()) sequence_ = samples_in_order();
    } else if (shards.empty()) {
      order_ = engine::permutation(seed, engine::Purpose::order, epoch, loader_.plan_.samples());
    } else {
      sequence_ = shard_sequence(shards, seed, epoch);
      order_ = shard_order(sequence_, seed, epoch);
    }
  }

  std::vector<std::uint32_t> samples_in_order() const {
    std::vector<std::uint32_t> samples(loader_.plan_.samples());
    std::iota(samples.begin(), samples.end(), 0u);
    return samples;
  }

  // Asks for what comes into the window with this batch; at a start for the whole window. So shards are read from front to end.
  void read_ahead(std::size_t begin, std::size_t end) {
    if (sequence_.empty()) return;
    const std::size_t window = order_.empty() ? 0 : kShuffleWindow, samples = sequence_.size();
    const std::size_t from = std::min(has_asked_ ? begin + window : begin, samples),
                      to = std::min(end + window, samples);
    has_asked_ = true;
    loader_.dataset_->read_ahead(std::span(sequence_).subspan(from, to - from));
  }

  const Loader& loader_;
  Augmentation augmentation_;
  std::vector<std::uint32_t> sequence_;  // as they lie in shards; empty without
  std::vector<std::uint32_t> order_;     // as they are handed out; empty: by their numbers
  std::optional<std::uint64_t> order_epoch_;
  bool has_asked_ = false;  // for the window of this epoch
};

Loader::Loader(DatasetPointer dataset, const Augmentation& augmentation, const Options& options)
    : dataset_(std::move(dataset)),
      options_(options),
      plan_(dataset_->size(), options.batch, options.min_last) {
  check_range("workers", options.workers, 1, 64);
  check_range<std::size_t>("ahead", options.ahead, 1, 1024);
  check_mixing(options.mixing);
  if (augmentation.shape() != dataset_->shape()) {
    throw std::invalid_argument("loader: the augmentation was made for images of another shape");
  }
  const std::size_t ahead = std::max(options.ahead, static_cast<std::size_t>(options.workers));
  slots_.resize(ahead + 1);  // one is in the consumer's hands
  for (Slot& slot : slots_) {
    const std::size_t bytes = plan_.largest() * dataset_->shape().bytes() * sizeof(float);
    slot.images.reset(static_cast<float*>(::operator new[](bytes, std::align_val_t{kAlignment})));
    slot.labels.resize(plan_.largest());
  }
  for (int i = 0; i < options.workers; ++i) {
    threads_.emplace_back([this, worker = Worker(*this, augmentation)](
                              const std::stop_token& stop) mutable { work(stop, worker); });
  }
}

Loader::~Loader() {
  for (std::jthread& thread : threads_) thread.request_stop();  // all at once; joined one by one
}

void Loader::work(const std::stop_token& stop, Worker& worker) {
  pthread_setname_np(pthread_self(), "data loader");
  const auto has_room = [this] { return !restarting_ && issued_ < front_ + slots_.size(); };
  std::unique_lock lock(mutex_);
  while (room_.wait(lock, stop, has_room) && !stop.stop_requested()) {
    const std::uint64_t ticket = issued_++;
    Slot& mine = slot(ticket);
    ++busy_;
    lock.unlock();
    std::exception_ptr error;
    try {
      worker.fill(mine, ticket, stop);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    mine.error = error;
    mine.ready = true;
    --busy_;
    made_.notify_all();
  }
}

void Loader::start(std::uint64_t epoch, std::size_t first_batch) {
  if (first_batch > plan_.count()) {
    throw std::invalid_argument(fmt::format("loader: batch {} does not exist, an epoch has {}",
                                            first_batch, plan_.count()));
  }
  std::unique_lock lock(mutex_);
  const bool failed = slot(front_).ready && slot(front_).error;
  if (epoch == epoch_ && first_batch == index_ && !failed) return;
  restarting_ = true;
  made_.wait(lock, [this] { return busy_ == 0; });
  for (Slot& each : slots_) {
    each.ready = false;
    each.error = nullptr;
  }
  front_ = issued_ = epoch * plan_.count() + first_batch;
  epoch_ = epoch;
  index_ = first_batch;
  holding_ = false;
  restarting_ = false;
  room_.notify_all();
}

const Batch* Loader::next() {
  std::unique_lock lock(mutex_);
  if (holding_) {
    slot(front_).ready = false;
    ++front_;
    holding_ = false;
    room_.notify_one();
  }
  if (index_ == plan_.count()) {
    ++epoch_;
    index_ = 0;
    return nullptr;
  }
  Slot& wanted = slot(front_);
  if (!wanted.ready) {
    const auto asked = std::chrono::steady_clock::now();
    made_.wait(lock, [&] { return wanted.ready; });
    starved_seconds_ +=
        std::chrono::duration<double>(std::chrono::steady_clock::now() - asked).count();
  }
  if (wanted.error) std::rethrow_exception(wanted.error);
  holding_ = true;
  ++index_;
  return &wanted.batch;
}

}  // namespace autodidact::data
