#include "engine/threads.hpp"

#include <doctest/doctest.h>

#ifdef _OPENMP
#include <omp.h>
#endif

#include <atomic>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>

using namespace autodidact::engine;

namespace {

// Counts the threads that are inside at the same time, and all that ever were.
class Census {
 public:
  // Stays until `company` threads have been inside together: a busy machine wakes them late.
  void enter(int company) {
    std::unique_lock lock(mutex_);
    all_.insert(std::this_thread::get_id());
    most_ = std::max(most_, ++inside_);
    changed_.notify_all();
    changed_.wait_for(lock, std::chrono::seconds(5), [&] { return most_ >= company; });
  }
  void leave() {
    const std::lock_guard lock(mutex_);
    --inside_;
  }
  int most() const { return most_; }
  bool seen(std::thread::id id) const { return all_.contains(id); }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<std::thread::id> all_;
  int inside_ = 0, most_ = 0;
};

// Of a team that this thread would open.
int team_size() {
#ifdef _OPENMP
  return omp_get_max_threads();
#else
  return 1;
#endif
}

void linger() { std::this_thread::sleep_for(std::chrono::milliseconds(5)); }
}  // namespace

TEST_CASE("a lane's loop covers every index once, in the same parts every time") {
  Lanes lanes;
  for (const std::int64_t n : {0, 1, 3, 1000}) {
    std::vector<std::atomic<int>> hits(static_cast<std::size_t>(n));
    std::vector<std::int64_t> begins[2];
    for (auto& round : begins) {
      std::mutex mutex;
      std::set<std::int64_t> starts;
      lanes.run_wide([&](Lane& lane) {
        lane.parallel(n, [&](std::int64_t begin, std::int64_t end, int thread) {
          CHECK(thread < lane.size());
          for (std::int64_t i = begin; i < end; ++i) ++hits[static_cast<std::size_t>(i)];
          const std::lock_guard lock(mutex);
          starts.insert(begin);
        });
      });
      round.assign(starts.begin(), starts.end());
    }
    CHECK(begins[0] == begins[1]);
    for (const auto& hit : hits) CHECK(hit == 2);
  }
}

TEST_CASE("the wide lane computes on its own threads, as many as are allowed and not the caller's") {
  Lanes lanes;
  Census census;
  lanes.run_wide([&](Lane& lane) {
    CHECK(lane.size() == allowed_cores());
    lane.parallel(lane.size(), [&](std::int64_t, std::int64_t, int) {
      census.enter(allowed_cores());
      linger();  // whoever is one too many would come now
      census.leave();
    });
  });
  CHECK(census.most() == allowed_cores());
  CHECK_FALSE(census.seen(std::this_thread::get_id()));
}

TEST_CASE("narrow lanes run side by side and never on more threads than are allowed") {
  Lanes lanes;
  Census census;
  std::atomic<int> done = 0;
  lanes.run_narrow(8, [&](Lane& lane, int) {
    CHECK(lane.size() == lanes.layout().narrow_size);
    lane.parallel(16, [&](std::int64_t, std::int64_t, int) {
      census.enter(lanes.layout().narrow_count * lanes.layout().narrow_size);
      linger();
      census.leave();
    });
    ++done;
  });
  CHECK(done == 8);
  CHECK(census.most() <= allowed_cores());
  CHECK(census.most() == lanes.layout().narrow_count * lanes.layout().narrow_size);
}

TEST_CASE("two narrow lanes have half of the threads each, and the one that is free takes the next work") {
  for (const int threads : {2, 5, 8}) {
    if (threads == 2 && allowed_cores() == 1) continue;  // lanes of one thread are TBB's
    Lanes lanes(Lanes::layout_for(threads));
    // TBB has no more threads than there are cores; fewer do the same work.
    const int together = threading_name() == "OpenMP" ? threads / 2 * 2 : 1;
    CHECK(lanes.layout().narrow_count == 2);
    CHECK(lanes.layout().narrow_size == threads / 2);
    Census census;
    std::atomic<int> rest = 0;
    lanes.run_narrow(4, [&](Lane& lane, int work) {
      CHECK(lane.size() == threads / 2);
      lane.parallel(lane.size(), [&](std::int64_t, std::int64_t, int) {
        census.enter(together);
        census.leave();
      });
      // The first goes on until all others are done, wherever that is.
      for (int patience = 5000; work == 0 && rest < 3 && patience > 0; --patience) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      if (work == 0) CHECK(rest == 3);
      else ++rest;
    });
    CHECK(rest == 3);
    CHECK(census.most() >= together);
    CHECK(census.most() <= threads / 2 * 2);
  }
}

TEST_CASE("what goes wrong in a lane reaches the caller, and the lane lives on") {
  for (const int threads : {1, 4}) {
    Lanes lanes(Lanes::layout_for(threads));
    CHECK_THROWS_AS(lanes.run_wide([](Lane&) { throw std::runtime_error("broken"); }), std::runtime_error);
    CHECK_THROWS_AS(lanes.run_narrow(2, [](Lane&, int) { throw std::runtime_error("broken"); }), std::runtime_error);
    std::atomic<int> ran = 0;
    lanes.run_wide([&](Lane&) { ++ran; });
    lanes.run_narrow(2, [&](Lane&, int) { ++ran; });
    CHECK(ran == 3);
  }
}

TEST_CASE("the caller's thread comes back as it was: denormal numbers, size of its OpenMP teams") {
  Lanes lanes;
  volatile float smallest = std::numeric_limits<float>::min();
  const auto before = smallest / 2;
  const int team = team_size();
  lanes.run_narrow(4, [](Lane&, int) { linger(); });
  lanes.run_wide([](Lane&) { linger(); });
  CHECK(before > 0);
  CHECK(smallest / 2 == before);
  CHECK(team_size() == team);
}

TEST_CASE("a lane never has more threads than the machine allows") {
  CHECK(Lanes(1000).layout().wide == allowed_cores());
  CHECK(Lanes(1).layout().wide == 1);
}
