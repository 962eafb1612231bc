// place: give every buffer an address. Two buffers may share memory if the life of one ends before the other's begins, over
// forward and backward together. Largest first, lowest free gap: close to the peak of what is alive.
#include <algorithm>
#include <limits>
#include <numeric>

#include "engine/assert.hpp"
#include "engine/compile/draft.hpp"

namespace autodidact::engine::compile_passes {
namespace {

// A moment of a step. Two moments of one split phase are ordered only if they lie in the same list.
struct Moment {
  int phase = -1, list = 0, position = 0;
};

// From the first write to the last use. In its last phase a buffer may be used by several lists.
struct Life {
  Moment first, last;
  bool several_lists_last = false;
  bool used() const { return first.phase >= 0; }
};

// Whether a is over before b begins, whatever the timing.
bool over_before(const Life& a, const Life& b) {
  if (a.last.phase != b.first.phase) return a.last.phase < b.first.phase;
  return !a.several_lists_last && a.last.list == b.first.list && a.last.position < b.first.position;
}

class Placer {
 public:
  explicit Placer(Draft& draft) : draft_(draft), lives_(draft.buffers.size()), leader_(draft.buffers.size()) {
    std::iota(leader_.begin(), leader_.end(), 0);
  }

  void run() {
    find_lives();
    if (draft_.options.reuse && draft_.options.backend == Backend::fast) join_in_place();
    place_arena();
    place_own();
  }

 private:
  void touch(int buffer, const Moment& now) {
    Life& life = lives_[static_cast<std::size_t>(buffer)];
    if (!life.used()) life.first = now;
    if (life.last.phase == now.phase) life.several_lists_last |= life.last.list != now.list;
    else life.several_lists_last = false;
    life.last = now;
  }

  void find_lives() {
    for (int p = 0; p < static_cast<int>(draft_.phases.size()); ++p) {
      const auto& lists = draft_.phases[static_cast<std::size_t>(p)].lists;
      for (int l = 0; l < static_cast<int>(lists.size()); ++l)
        for (int i = 0; i < static_cast<int>(lists[static_cast<std::size_t>(l)].size()); ++i) {
          const DraftTask& task =
              draft_.tasks[static_cast<std::size_t>(lists[static_cast<std::size_t>(l)][static_cast<std::size_t>(i)])];
          for (const int b : task.reads) touch(b, {p, l, i});
          for (const int b : task.writes) touch(b, {p, l, i});
          if (task.scratch >= 0) touch(task.scratch, {p, l, i});
        }
    }
  }

  bool in_arena(int buffer) const {
    return draft_.buffers[static_cast<std::size_t>(buffer)].place.region == Region::arena;
  }

  // A written buffer takes over the memory of one that is read for the last time by the same task.
  void join_in_place() {
    for (const DraftTask& task : draft_.tasks)
      for (const auto& [write, read] : task.in_place) {
        const auto w = static_cast<std::size_t>(write);
        const auto r = static_cast<std::size_t>(leader_[static_cast<std::size_t>(read)]);
        if (!in_arena(write) || !in_arena(read) || leader_[w] != write) continue;
        if (draft_.buffers[w].bytes != draft_.buffers[r].bytes) continue;
        const Life& reading = lives_[r];
        const Life& writing = lives_[w];
        const bool ends_here = !reading.several_lists_last && reading.last.phase == writing.first.phase &&
                               reading.last.list == writing.first.list &&
                               reading.last.position == writing.first.position;
        if (!ends_here) continue;
        leader_[w] = static_cast<int>(r);
        lives_[r].last = writing.last;
        lives_[r].several_lists_last = writing.several_lists_last;
      }
  }

  void place_arena() {
    std::vector<int> order;
    for (int b = 0; b < static_cast<int>(draft_.buffers.size()); ++b)
      if (in_arena(b) && leader_[static_cast<std::size_t>(b)] == b && lives_[static_cast<std::size_t>(b)].used())
        order.push_back(b);
    const auto bytes = [&](int b) { return aligned(draft_.buffers[static_cast<std::size_t>(b)].bytes); };
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return bytes(a) > bytes(b); });

    std::vector<int> placed;  // by offset
    const auto offset = [&](int b) -> std::size_t& { return draft_.buffers[static_cast<std::size_t>(b)].place.offset; };
    for (const int b : order) {
      const Life& life = lives_[static_cast<std::size_t>(b)];
      std::size_t at = 0;
      for (const int other : placed) {
        const Life& there = lives_[static_cast<std::size_t>(other)];
        const bool shares = draft_.options.reuse && draft_.options.backend == Backend::fast &&
                            (over_before(life, there) || over_before(there, life));
        if (shares) continue;
        if (at + bytes(b) <= offset(other)) break;
        at = std::max(at, offset(other) + bytes(other));
      }
      offset(b) = at;
      draft_.memory.arena = std::max(draft_.memory.arena, at + bytes(b));
      placed.insert(std::upper_bound(placed.begin(), placed.end(), b,
                                     [&](int x, int y) { return offset(x) < offset(y); }),
                    b);
    }
    for (int b = 0; b < static_cast<int>(draft_.buffers.size()); ++b)
      if (leader_[static_cast<std::size_t>(b)] != b) offset(b) = offset(leader_[static_cast<std::size_t>(b)]);
  }

  void place_own() {
    std::size_t end = 0;
    for (Buffer& buffer : draft_.buffers) {
      if (buffer.place.region != Region::own) continue;
      buffer.place.offset = end;
      end += aligned(buffer.bytes);
    }
    draft_.memory.own = end;
  }

  Draft& draft_;
  std::vector<Life> lives_;
  std::vector<int> leader_;  // the buffer whose memory it shares from the start (itself, or one taken over in place)
};
}  // namespace

void place(Draft& draft) { Placer(draft).run(); }
}  // namespace autodidact::engine::compile_passes
