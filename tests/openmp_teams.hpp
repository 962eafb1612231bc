// tests/openmp_teams.hpp: who opens OpenMP teams, in our code and in oneDNN. The test program's GOMP_parallel, which gcc calls for
// every parallel region, is that of openmp_teams.cpp: it hands on to libgomp and tells a watcher.
#pragma once

namespace autodidact::testing {

// Called by the members of a team, on their threads.
class TeamWatcher {
 public:
  virtual ~TeamWatcher() = default;
  virtual void enter(int team, int member) = 0;  // `team`: the threads that the team really has
  virtual void leave() = 0;
};

// nullptr: nobody watches. No team may be open.
void watch_teams(TeamWatcher* watcher);

// False where oneDNN and our loops do not run on libgomp.
bool teams_are_seen();
}  // namespace autodidact::testing
