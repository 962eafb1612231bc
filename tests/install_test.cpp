// Installs the library as a packager does and uses it as a stranger does: a project outside the tree finds the package,
// compiles against the installed headers, links, runs.
#include <doctest/doctest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <string>

namespace {

namespace fs = std::filesystem;

// A folder outside the source tree that disappears with the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "autodidact_install_XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

struct Outcome {
  int status = -1;  // exit status, or -1 if the command did not end by itself
  std::string output;
};

Outcome shell(const std::string& command) {
  Outcome outcome;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::array<char, 4096> part;
  while (const std::size_t n = fread(part.data(), 1, part.size(), pipe)) {
    outcome.output.append(part.data(), n);
  }
  const int raw = pclose(pipe);
  if (WIFEXITED(raw)) outcome.status = WEXITSTATUS(raw);
  return outcome;
}

// One word of a shell command, whatever characters it has but a quote.
std::string word(const std::string& text) { return "'" + text + "'"; }

const std::string kCmake = word(AUTODIDACT_CMAKE);

}  // namespace

TEST_CASE("a project outside the tree builds and runs with the installed library") {
  const TemporaryFolder folder;
  const fs::path prefix = folder.path() / "prefix";
  const fs::path source = folder.path() / "consumer";
  const fs::path build = folder.path() / "build";

  const Outcome install =
      shell(kCmake + " --install " + word(AUTODIDACT_BUILD_DIR) + " --prefix " + word(prefix));
  INFO(install.output);
  REQUIRE(install.status == 0);
  CHECK(fs::exists(prefix / "include/autodidact/autodidact.hpp"));
  CHECK(fs::exists(prefix / "include/autodidact/engine/graph.hpp"));
  CHECK_FALSE(fs::exists(prefix / "include/autodidact/tests"));

  const Outcome program = shell(word(prefix / "bin/autodidact") + " --help");
  INFO(program.output);
  CHECK(program.status == 0);
  if (shell("python3 -c ''").status == 0) CHECK(shell(word(prefix / "bin/autodidact") + " bench peers --help").status == 0);
  CHECK(fs::exists(prefix / "share/autodidact/tests/oracle/seed_network.py"));

  fs::copy(fs::path(AUTODIDACT_SOURCE_DIR) / "tests/consumer", source, fs::copy_options::recursive);
  const std::string environment =
      "CMAKE_PREFIX_PATH=" + word(prefix.string() + ":" AUTODIDACT_PREFIX_PATH) +
      " CXX=" + word(AUTODIDACT_CXX) + " CXXFLAGS='" AUTODIDACT_CXX_FLAGS "'" +
      " LDFLAGS='" AUTODIDACT_LINKER_FLAGS "' ";
  const Outcome configure = shell(environment + kCmake + " -G '" AUTODIDACT_GENERATOR "' -S " +
                                  word(source) + " -B " + word(build));
  INFO(configure.output);
  REQUIRE(configure.status == 0);

  const Outcome compile = shell(kCmake + " --build " + word(build));
  INFO(compile.output);
  REQUIRE(compile.status == 0);

  const Outcome run = shell(word(build / "consumer"));
  INFO(run.output);
  CHECK(run.status == 0);
}
