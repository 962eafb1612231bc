#include "engine/threads.hpp"

#include <fmt/format.h>
#include <immintrin.h>
#include <oneapi/dnnl/dnnl_config.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_scheduler_observer.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <cstdio>
#include <exception>
#include <fstream>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>

#include "engine/assert.hpp"

#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

#if DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_OMP
#include <omp.h>
#define AUTODIDACT_OPENMP 1
#else
#define AUTODIDACT_OPENMP 0
#endif

namespace autodidact::engine {
namespace {

// Denormal numbers cost a hundred cycles each and mean nothing here: flushed to zero on every computing thread.
void flush_denormals() {
  _MM_SET_FLUSH_ZERO_MODE(_MM_FLUSH_ZERO_ON);
  _MM_SET_DENORMALS_ZERO_MODE(_MM_DENORMALS_ZERO_ON);
}

void cap_team(int size) {
#if AUTODIDACT_OPENMP
  omp_set_num_threads(size);
#else
  (void)size;
#endif
}

// What a thread had before it computed for us: the caller of run_narrow lends its thread and gets it back as it was.
class ThreadState {
 public:
  void save() {
    control_ = _mm_getcsr();
#if AUTODIDACT_OPENMP
    team_ = omp_get_max_threads();
#endif
  }
  void restore() const {
    _mm_setcsr(control_);
    cap_team(team_);
  }

 private:
  unsigned control_ = 0;
  int team_ = 1;
};

// How many threads a team opened here really gets.
int probe_team(int size) {
  std::atomic<int> members{0};
#if AUTODIDACT_OPENMP
#pragma omp parallel num_threads(size)
  {
    flush_denormals();
    ++members;
  }
#else
  members = tbb::this_task_arena::max_concurrency();
  (void)size;
#endif
  return members;
}

// What the thread sanitizer cannot see, because TBB is not instrumented: that the parts of a call begin after what the caller did before
// it, and end before what the caller does behind it. Nothing in other builds. How a part finds its CallOrder must not be watched, because
// that comes first: UNWATCHED.
#if defined(__SANITIZE_THREAD__)
#define AUTODIDACT_UNWATCHED __attribute__((no_sanitize("thread")))
#else
#define AUTODIDACT_UNWATCHED
#endif
class CallOrder {
 public:
#if defined(__SANITIZE_THREAD__)
  CallOrder() { __tsan_release(&begun_); }
  ~CallOrder() { __tsan_acquire(&ended_); }
#endif
  // One part, for as long as it lives.
  class Part {
   public:
#if defined(__SANITIZE_THREAD__)
    explicit Part(CallOrder& order) : order_(order) { __tsan_acquire(&order_.begun_); }
    ~Part() { __tsan_release(&order_.ended_); }
    Part(const Part&) = delete;
    Part& operator=(const Part&) = delete;

   private:
    CallOrder& order_;
#else
    explicit Part(CallOrder&) {}
#endif
  };

#if defined(__SANITIZE_THREAD__)
 private:
  char begun_ = 0, ended_ = 0;  // only their addresses matter
#endif
};

template <class Body>
void execute_in(tbb::task_arena& arena, const Body& body) {
  CallOrder order;
  arena.execute([&]() AUTODIDACT_UNWATCHED {
    [[maybe_unused]] const CallOrder::Part part(order);
    body();
  });
}

// body(0) … body(n − 1) in the arena of the caller.
template <class Body, class Partitioner>
void spread(std::int64_t n, const Body& body, const Partitioner& partitioner) {
  CallOrder order;
  tbb::parallel_for(
      std::int64_t{0}, n,
      [&](std::int64_t i) AUTODIDACT_UNWATCHED {
        [[maybe_unused]] const CallOrder::Part part(order);
        body(i);
      },
      partitioner);
}

double cgroup_cores() {
  std::ifstream v2("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (v2 >> quota >> period && quota != "max" && period > 0) return std::stod(quota) / period;
  std::ifstream v1("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
  std::ifstream v1_period("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  double limit = 0;
  if (v1 >> limit && v1_period >> period && limit > 0 && period > 0) return limit / period;
  return 1e9;
}

// A thread that owns a team of one size for its whole life and runs one piece of work at a time.
class Driver {
 public:
  explicit Driver(int size) : lane_(size), thread_([this] { loop(); }) {
    run([&](Lane&) { team_ = probe_team(lane_.size()); });
  }
  ~Driver() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }

  int team() const { return team_; }
  void start(const std::function<void(Lane&)>& work) {
    const std::lock_guard lock(mutex_);
    work_ = &work;
    wake_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return work_ == nullptr; });
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }
  void run(const std::function<void(Lane&)>& work) {
    start(work);
    wait();
  }

 private:
  void loop() {
    cap_team(lane_.size());
    flush_denormals();
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return stop_ || work_; });
      if (stop_) return;
      lock.unlock();
      std::exception_ptr error;
      try {
        execute_in(arena_, [this] { (*work_)(lane_); });
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      error_ = error;
      work_ = nullptr;
      wake_.notify_all();
    }
  }

  Lane lane_;
  tbb::task_arena arena_{lane_.size()};  // where the loops of a TBB build run
  std::mutex mutex_;
  std::condition_variable wake_;
  const std::function<void(Lane&)>* work_ = nullptr;
  std::exception_ptr error_;
  bool stop_ = false;
  int team_ = 0;
  std::thread thread_;
};

// Lanes of one thread: the slots of one arena. Whoever enters is capped to one thread, and gets its cap back on leaving.
class SingleLanes : tbb::task_scheduler_observer {
 public:
  explicit SingleLanes(int count)
      : tbb::task_scheduler_observer(arena_), arena_(count), count_(count) {
    observe(true);
  }
  ~SingleLanes() override { observe(false); }

  void run(int tasks, const std::function<void(Lane&, int)>& work) {
    std::atomic<int> next{0};
    execute_in(arena_, [&] {
      spread(
          std::min(tasks, count_),
          [&](std::int64_t) {
            for (int i = next++; i < tasks; i = next++) call(work, i);
          },
          tbb::simple_partitioner());
    });
  }

 private:
  void on_scheduler_entry(bool) override {
    lent().save();
    cap_team(1);
    flush_denormals();
  }
  void on_scheduler_exit(bool) override { lent().restore(); }
  static ThreadState& lent() {
    static thread_local ThreadState state;
    return state;
  }
  void call(const std::function<void(Lane&, int)>& work, int i) {
#if AUTODIDACT_OPENMP
    work(lane_, i);
#else
    // Nested arena of one slot: the library must not spread over the outer one.
    thread_local tbb::task_arena alone(1);
    execute_in(alone, [&] { work(lane_, i); });
#endif
  }

  tbb::task_arena arena_;
  Lane lane_{1};
  int count_;
};

constexpr int kNarrow = 2;  // lanes
}  // namespace

Lanes::Layout Lanes::layout_for(int threads) {
  threads = std::max(1, threads);
  const int count = std::min(threads, kNarrow);
  return {.wide = threads, .narrow_size = threads / count, .narrow_count = count};
}

double makespan(std::span<const double> work, int lanes) {
  std::vector<double> busy(static_cast<std::size_t>(lanes), 0);
  for (const double time : work) *std::min_element(busy.begin(), busy.end()) += time;
  return *std::max_element(busy.begin(), busy.end());
}

int allowed_cores() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  int cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  if (sched_getaffinity(0, sizeof mask, &mask) == 0) cores = CPU_COUNT(&mask);
  return std::max(1, std::min(cores, static_cast<int>(std::ceil(cgroup_cores()))));
}

void Lane::run_parallel(std::int64_t n, void* context, RawBody body) {
  const std::int64_t parts = std::min<std::int64_t>(size_, n);
  if (parts <= 1) {
    if (n > 0) body(context, 0, n, 0);
    return;
  }
  const auto part = [&](std::int64_t i) {
    body(context, n * i / parts, n * (i + 1) / parts, static_cast<int>(i));
  };
#if AUTODIDACT_OPENMP
#pragma omp parallel for schedule(static, 1) num_threads(size_)
  for (std::int64_t i = 0; i < parts; ++i) part(i);
#else
  spread(parts, part, tbb::static_partitioner());
#endif
}

struct Lanes::Implementation {
  std::unique_ptr<Driver> wide;
  std::unique_ptr<SingleLanes> single;
  std::vector<std::unique_ptr<Driver>> narrow;
};

Lanes::Lanes(int threads) : Lanes(layout_for(threads > 0 ? std::min(threads, allowed_cores()) : allowed_cores())) {}

Lanes::Lanes(const Layout& layout) : implementation_(std::make_unique<Implementation>()), layout_(layout) {
  AUTODIDACT_ASSERT(layout.wide > 0 && layout.narrow_size > 0 && layout.narrow_count > 0);
  auto& lanes = *implementation_;
  const auto prove = [](const Driver& driver, int size) {
    if (driver.team() != size)
      throw std::runtime_error(fmt::format(
          "a lane of {} threads got only {}: unset OMP_THREAD_LIMIT or pass --threads {}", size,
          driver.team(), driver.team()));
  };
  lanes.wide = std::make_unique<Driver>(layout_.wide);
  prove(*lanes.wide, layout_.wide);
  if (layout_.narrow_size == 1) {
    lanes.single = std::make_unique<SingleLanes>(layout_.narrow_count);
    return;
  }
  for (int i = 0; i < layout_.narrow_count; ++i) {
    lanes.narrow.push_back(std::make_unique<Driver>(layout_.narrow_size));
    prove(*lanes.narrow.back(), layout_.narrow_size);
  }
}

Lanes::~Lanes() = default;

void Lanes::run_wide(const std::function<void(Lane&)>& work) { implementation_->wide->run(work); }

void Lanes::run_narrow(int count, const std::function<void(Lane&, int)>& work) {
  auto& lanes = *implementation_;
  if (lanes.single) return lanes.single->run(count, work);
  std::atomic<int> next{0};
  const auto take = [&](Lane& lane) {
    for (int i = next++; i < count; i = next++) work(lane, i);
  };
  const std::function<void(Lane&)> shared = std::cref(take);  // by reference: a step allocates nothing
  const auto n = static_cast<std::size_t>(std::min(count, layout_.narrow_count));
  for (std::size_t d = 0; d < n; ++d) lanes.narrow[d]->start(shared);
  std::exception_ptr error;
  for (std::size_t d = 0; d < n; ++d) try {
      lanes.narrow[d]->wait();
    } catch (...) {
      error = std::current_exception();
    }
  if (error) std::rethrow_exception(error);
}

std::string threading_name() { return AUTODIDACT_OPENMP ? "OpenMP" : "TBB"; }
}  // namespace autodidact::engine
