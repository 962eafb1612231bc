// The rules of docs/design.md section 2, read off the sources: who may include whom, who may name a library, and the
// files that every op has.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace fs = std::filesystem;
using Names = std::set<std::string, std::less<>>;

const fs::path kRoot = AUTODIDACT_SOURCE_DIR;

// What each room may include besides itself. Includes go down this table, never up.
const std::map<std::string, Names, std::less<>> kMayInclude = {
    {"engine", {}},
    {"ops", {"engine"}},
    {"model", {"engine", "ops"}},
    {"optim", {"engine"}},
    {"data", {"engine"}},
    {"train", {"engine", "ops", "model", "optim", "data"}},
    {"cli", {"engine", "ops", "model", "optim", "data", "train"}},
};

// Headers in ops/ that are no op themselves: kernels and helpers that ops share, and the rules that fuse ops.
const Names kSharedOpHeaders = {"batch_norm_kernels",
                                "batch_norm_runs",
                                "batch_norm_tasks",
                                "block_diagonal",
                                "channel_products",
                                "convolution_matmul",
                                "convolution_methods",
                                "convolution_strassen",
                                "convolution_winograd",
                                "fusions",
                                "interpolation",
                                "kernels",
                                "pool_window",
                                "simd",
                                "softmax_rows",
                                "winograd"};

struct Source {
  std::string room;
  std::string path;  // relative to the root, with '/'
  std::string text;
};

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE_MESSAGE(file, "cannot read " << path.string());
  return {std::istreambuf_iterator<char>(file), {}};
}

// Every .hpp and .cpp of every room, read once.
const std::vector<Source>& sources() {
  static const std::vector<Source> all = [] {
    std::vector<Source> found;
    for (const auto& [room, unused] : kMayInclude) {
      for (const auto& entry : fs::recursive_directory_iterator(kRoot / room)) {
        const fs::path extension = entry.path().extension();
        if (extension != ".hpp" && extension != ".cpp") continue;
        found.push_back(
            {room, fs::relative(entry.path(), kRoot).generic_string(), read(entry.path())});
      }
    }
    return found;
  }();
  return all;
}

struct Include {
  std::string name;
  bool quoted = false;  // "x", not <x>
};

std::vector<Include> includes_of(std::string_view text) {
  std::vector<Include> found;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    if (!line.starts_with('#')) continue;
    line.remove_prefix(std::min(line.find_first_not_of("# \t"), line.size()));
    const std::size_t open = line.find_first_of("\"<");
    if (!line.starts_with("include") || open == std::string_view::npos) continue;
    const std::size_t close = line.find_first_of("\">", open + 1);
    if (close == std::string_view::npos) continue;
    found.push_back({std::string(line.substr(open + 1, close - open - 1)), line[open] == '"'});
  }
  return found;
}

// The text without // comments, so that an explanation may name what code may not.
std::string without_comments(std::string_view text) {
  std::string code;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    code += line.substr(0, line.find("//"));
    code += '\n';
    begin = end + 1;
  }
  return code;
}

bool is_any_of(std::string_view name, std::initializer_list<std::string_view> prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](std::string_view prefix) { return name.starts_with(prefix); });
}

// Files, by path, that include a header whose name begins with one of the prefixes.
std::vector<std::string> files_including(std::initializer_list<std::string_view> prefixes) {
  std::vector<std::string> found;
  for (const Source& source : sources()) {
    for (const Include& include : includes_of(source.text)) {
      if (!is_any_of(include.name, prefixes)) continue;
      found.push_back(source.path);
      break;
    }
  }
  return found;
}

}  // namespace

TEST_CASE("the reader of includes sees both kinds and nothing in comments") {
  const auto found =
      includes_of("#include \"engine/a.hpp\"\n// #include <b>\n#  include <tbb/c.h>\n#if X");
  REQUIRE(found.size() == 2);
  CHECK(found[0].name == "engine/a.hpp");
  CHECK(found[0].quoted);
  CHECK(found[1].name == "tbb/c.h");
  CHECK_FALSE(found[1].quoted);
  CHECK(without_comments("a // tbb::b\nc") == "a \nc\n");
}

TEST_CASE("every room has sources") {
  for (const auto& [room, unused] : kMayInclude) {
    CAPTURE(room);
    CHECK(std::any_of(sources().begin(), sources().end(),
                      [&, &room = room](const Source& source) { return source.room == room; }));
  }
}

TEST_CASE("includes are root-relative and go one way, down the table of rooms") {
  for (const Source& source : sources()) {
    for (const Include& include : includes_of(source.text)) {
      if (!include.quoted) continue;
      CAPTURE(source.path);
      CAPTURE(include.name);
      CHECK_MESSAGE(fs::exists(kRoot / include.name), "not a path from the root");
      const std::string room = include.name.substr(0, include.name.find('/'));
      CHECK_MESSAGE((room == source.room || kMayInclude.at(source.room).contains(room)),
                    source.room << "/ may not include " << room << "/");
    }
  }
}

TEST_CASE("a room's sources open no namespace of the project but the room's own") {
  const std::string open = "namespace autodidact::";
  for (const Source& source : sources()) {
    for (std::size_t at = source.text.find(open); at != std::string::npos;
         at = source.text.find(open, at + 1)) {
      CAPTURE(source.path);
      const std::string_view name = std::string_view(source.text).substr(at + open.size());
      CHECK(name.substr(0, name.find_first_of(": {;\n")) == source.room);
    }
  }
}

TEST_CASE("every header opens with a comment") {
  for (const Source& source : sources()) {
    if (!source.path.ends_with(".hpp")) continue;
    CAPTURE(source.path);
    CHECK(source.text.starts_with("// "));
  }
}

TEST_CASE("only the adapter and the file of threads include oneDNN") {
  for (const std::string& path : files_including({"dnnl", "oneapi/dnnl"})) {
    CAPTURE(path);
    CHECK((path.starts_with("engine/onednn") || path == "engine/threads.cpp"));
  }
}

TEST_CASE("only the engine includes TBB and OpenMP") {
  for (const std::string& path : files_including({"tbb/", "oneapi/tbb", "omp.h"})) {
    CAPTURE(path);
    CHECK(path.starts_with("engine/"));
  }
}

TEST_CASE("MPI and ITT are included by one file of the engine each") {
  for (const auto& library :
       {std::initializer_list<std::string_view>{"mpi.h"}, {"ittnotify", "libittnotify"}}) {
    const std::vector<std::string> files = files_including(library);
    CHECK(files.size() <= 1);
    for (const std::string& path : files) {
      CAPTURE(path);
      CHECK(path.starts_with("engine/"));
    }
  }
}

TEST_CASE("ops name neither TBB nor OpenMP nor MPI") {
  for (const Source& source : sources()) {
    if (source.room != "ops") continue;
    const std::string code = without_comments(source.text);
    for (const char* word : {"tbb::", "omp_", "#pragma omp", "MPI_"}) {
      CAPTURE(source.path);
      CAPTURE(word);
      CHECK(code.find(word) == std::string::npos);
    }
  }
}

// Only ops/ is compiled twice: a switch elsewhere would be dead in the tests too.
TEST_CASE("only ops include the mutation switches") {
  for (const std::string& path : files_including({"engine/mutation.hpp"})) {
    CAPTURE(path);
    CHECK(path.starts_with("ops/"));
  }
}

TEST_CASE("only the choice of formats includes LEMON") {
  CHECK(files_including({"lemon/"}) == std::vector<std::string>{"engine/compile/formats.cpp"});
}

TEST_CASE("only the program includes CLI11") {
  for (const std::string& path : files_including({"CLI/"})) {
    CAPTURE(path);
    CHECK(path.starts_with("cli/"));
  }
}

TEST_CASE("only the export to ONNX includes its headers") {
  for (const std::string& path : files_including({"onnx/", "google/protobuf"})) {
    CAPTURE(path);
    CHECK(path.starts_with("train/onnx_"));
  }
}

TEST_CASE("an op is four files: contract, fast path, reference, test") {
  int ops = 0;
  for (const auto& entry : fs::directory_iterator(kRoot / "ops")) {
    if (entry.path().extension() != ".hpp") continue;
    const std::string op = entry.path().stem().string();
    if (kSharedOpHeaders.contains(op)) continue;
    CAPTURE(op);
    CHECK(fs::exists(kRoot / "ops" / (op + ".cpp")));
    CHECK(fs::exists(kRoot / "ops/reference" / (op + ".hpp")));
    CHECK(fs::exists(kRoot / "tests/ops" / (op + "_test.cpp")));
    ++ops;
  }
  CHECK(ops > 0);
}

// What a test does with a switch it checks itself (check_mutants); here it must only be named.
TEST_CASE("every mutation switch of ops/ is turned by a test, and is asked for by a name in quotes") {
  std::string tests;
  for (const auto& entry : fs::directory_iterator(kRoot / "tests/ops"))
    if (entry.path().extension() == ".cpp") tests += without_comments(read(entry.path()));
  const std::string ask = "mutated(";
  int switches = 0;
  for (const Source& source : sources()) {
    if (source.room != "ops") continue;
    const std::string code = without_comments(source.text);
    for (std::size_t at = code.find(ask); at != std::string::npos; at = code.find(ask, at + 1)) {
      const std::size_t open = at + ask.size();
      CAPTURE(source.path);
      REQUIRE(code[open] == '"');
      const std::string name = code.substr(open, code.find('"', open + 1) + 1 - open);
      CAPTURE(name);
      CHECK(tests.find(name) != std::string::npos);
      ++switches;
    }
  }
  CHECK(switches > 100);
}

TEST_CASE("a reference is short enough to be read at one sitting: 60 lines") {
  for (const Source& source : sources()) {
    if (!source.path.starts_with("ops/reference/")) continue;
    CAPTURE(source.path);
    CHECK(std::count(source.text.begin(), source.text.end(), '\n') <= 60);
  }
}

TEST_CASE("every name in the list of shared op headers is a header") {
  for (const std::string& name : kSharedOpHeaders) {
    CAPTURE(name);
    CHECK(fs::exists(kRoot / "ops" / (name + ".hpp")));
  }
}
