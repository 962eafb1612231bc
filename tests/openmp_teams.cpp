#include "tests/openmp_teams.hpp"

#include <dlfcn.h>

#include <atomic>

#include "engine/threads.hpp"

#if defined(_OPENMP) && defined(__GNUC__) && !defined(__clang__)
#include <omp.h>
#define AUTODIDACT_WATCH_TEAMS 1
#else
#define AUTODIDACT_WATCH_TEAMS 0
#endif

namespace autodidact::testing {
namespace {

std::atomic<TeamWatcher*> the_watcher = nullptr;

#if AUTODIDACT_WATCH_TEAMS
using Region = void (*)(void*);
using Parallel = void (*)(Region, void*, unsigned, unsigned);

struct WatchedRegion {
  Region region;
  void* data;
  TeamWatcher* watcher;
  static void run(void* self) {
    const auto& it = *static_cast<const WatchedRegion*>(self);
    it.watcher->enter(omp_get_num_threads(), omp_get_thread_num());
    it.region(it.data);
    it.watcher->leave();
  }
};
#endif
}  // namespace

void watch_teams(TeamWatcher* watcher) { the_watcher = watcher; }

bool teams_are_seen() { return AUTODIDACT_WATCH_TEAMS && engine::threading_name() == "OpenMP"; }
}  // namespace autodidact::testing

#if AUTODIDACT_WATCH_TEAMS
extern "C" void GOMP_parallel(void (*region)(void*), void* data, unsigned threads, unsigned flags) {
  using namespace autodidact::testing;
  static const auto real = reinterpret_cast<Parallel>(dlsym(RTLD_NEXT, "GOMP_parallel"));
  TeamWatcher* watcher = the_watcher;
  if (!watcher) return real(region, data, threads, flags);
  WatchedRegion watched{region, data, watcher};
  real(&WatchedRegion::run, &watched, threads, flags);
}
#endif
