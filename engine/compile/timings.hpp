// engine/compile/timings.hpp: how long each candidate took when it was measured, so that it need not be measured again.
//
// A key names the problem (op, attributes, pass, shapes, formats, threads, lanes beside each other) and the candidate; the value is in milliseconds.
// What the keys leave out, the CPU, the library and our kernels, is the same for all of one process: whoever keeps timings in a file
// must see to it that they are read only where that is the same (train/plan_cache.hpp).
#pragma once
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>

namespace autodidact::engine {

class Timings {
 public:
  // The time of a candidate whose result disagreed with the others': never to be chosen.
  static constexpr double kDropped = 1e12;
  // Stands for the time of one that was not run, since it could not be the fastest. Not kept.
  static constexpr double kNotRun = 1e8;

  std::optional<double> find(const std::string& key) const {
    const std::lock_guard lock(mutex_);
    asked_.insert(key);
    const auto found = ms_.find(key);
    return found == ms_.end() ? std::nullopt : std::optional(found->second);
  }
  // Keeps what is there already: a choice made once is made again.
  void add(const std::string& key, double ms) {
    const std::lock_guard lock(mutex_);
    ms_.emplace(key, ms);
  }
  std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return ms_.size();
  }
  void drop(const std::string& key) {
    const std::lock_guard lock(mutex_);
    ms_[key] = kDropped;
  }
  std::map<std::string, double> all() const {
    const std::lock_guard lock(mutex_);
    return ms_;
  }

  // Those that anything was chosen by in this process, however they came in.
  std::map<std::string, double> used() const {
    const std::lock_guard lock(mutex_);
    std::map<std::string, double> used;
    for (const std::string& key : asked_)
      if (const auto found = ms_.find(key); found != ms_.end()) used.insert(*found);
    return used;
  }

 private:
  mutable std::mutex mutex_;
  mutable std::set<std::string> asked_;
  std::map<std::string, double> ms_;
};

// Those of this process.
Timings& timings();
}  // namespace autodidact::engine
