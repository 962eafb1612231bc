// tests/cli/program.hpp: runs the built program as a user does and keeps what it said.
#pragma once
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/train/scratch.hpp"

namespace autodidact::cli::testing {

using train::testing::read_text;
using train::testing::ScratchDirectory;
using train::testing::write_text;

struct Outcome {
  int status = -1;  // exit code; −1: ended by a signal
  std::string out, err;
};

// `arguments` and `environment` ("A=1 B=2") go through the shell.
inline Outcome run(const std::string& arguments, const std::string& environment = "") {
  const ScratchDirectory folder;
  const std::string out = (folder / "out").string(), err = (folder / "err").string();
  const std::string command =
      environment + " '" AUTODIDACT_PROGRAM "' " + arguments + " >'" + out + "' 2>'" + err + "' </dev/null";
  const int raw = std::system(command.c_str());
  return {WIFEXITED(raw) ? WEXITSTATUS(raw) : -1, read_text(out), read_text(err)};
}

// Failures end with one line on stderr that begins with the program's name; only progress may stand before it.
inline bool ends_with_sentence(const std::string& text) {
  if (!text.ends_with("\n")) return false;
  const std::size_t before = text.rfind('\n', text.size() - 2);
  return text.compare(before == std::string::npos ? 0 : before + 1, 12, "autodidact: ") == 0;
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// The program has failed with this status and one sentence that has these parts.
inline void check_failure(const Outcome& outcome, int status, const std::vector<std::string>& parts) {
  INFO(outcome.out, outcome.err);
  CHECK(outcome.status == status);
  CHECK(ends_with_sentence(outcome.err));
  for (const std::string& part : parts) {
    CAPTURE(part);
    CHECK(contains(outcome.err, part));
  }
}

// Starts the program and does not wait for it; what it prints goes to the file.
inline pid_t start(const std::string& arguments, const std::filesystem::path& err, const std::string& environment = "") {
  const pid_t child = ::fork();
  if (child != 0) return child;
  const int file = ::open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ::dup2(file, STDOUT_FILENO);
  ::dup2(file, STDERR_FILENO);
  const std::string command = environment + " exec '" AUTODIDACT_PROGRAM "' " + arguments;
  ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
  ::_exit(127);
}

// Options of the smallest network and data set that have everything.
inline const std::string kTinyNetwork = " --model resnet18 --width 8 ";
inline const std::string kTinyData = " --data synthetic:64,side=8,classes=4 ";
inline const std::string kTinyImages = " --classes 4 --channels 3 --side 8 ";
inline const std::string kFixed = " --choose fixed --threads 2 ";
}  // namespace autodidact::cli::testing
