// What the pages say is so: links lead somewhere, quoted code is in the sources, commands are accepted, and nothing that the
// program has is missing from its page.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/cli/program.hpp"
#include "train/metrics_log.hpp"
#include "train/weights.hpp"

namespace {
using namespace autodidact::cli::testing;
namespace fs = std::filesystem;
using Lines = std::vector<std::string>;

const fs::path kRoot = AUTODIDACT_SOURCE_DIR;

// README.md, those of folders that have one, and docs/*.md, relative to the root.
std::vector<fs::path> pages() {
  std::vector<fs::path> found{"README.md", "ops/README.md", "bench/peer/README.md", "tests/oracle/README.md"};
  for (const auto& entry : fs::directory_iterator(kRoot / "docs"))
    if (entry.path().extension() == ".md") found.push_back(fs::path("docs") / entry.path().filename());
  std::sort(found.begin(), found.end());
  return found;
}

Lines split(const std::string& text) {
  Lines lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}
Lines lines_of(const fs::path& file) { return split(read_text(kRoot / file)); }

// Without what all lines have in front in common.
Lines unindented(Lines lines) {
  std::size_t common = std::string::npos;
  for (const std::string& line : lines) common = std::min(common, line.find_first_not_of(' '));
  for (std::string& line : lines) line.erase(0, std::min(common, line.size()));
  return lines;
}

// The blocks between "```LANGUAGE" and "```".
std::vector<Lines> blocks_of(const Lines& page, const std::string& language) {
  std::vector<Lines> blocks;
  bool inside = false;
  for (const std::string& line : page) {
    if (inside && line == "```") inside = false;
    else if (inside) blocks.back().push_back(line);
    else if ((inside = line == "```" + language)) blocks.emplace_back();
  }
  return blocks;
}

// Whether the lines follow one another somewhere in the file, whatever their common indentation.
bool quotes(const Lines& file, const Lines& block) {
  const Lines wanted = unindented(block);
  for (std::size_t first = 0; first + block.size() <= file.size(); ++first) {
    const auto begin = file.begin() + static_cast<std::ptrdiff_t>(first);
    if (unindented({begin, begin + static_cast<std::ptrdiff_t>(block.size())}) == wanted) return true;
  }
  return false;
}

// The targets of [text](target) that are no addresses of the web.
std::vector<std::string> relative_links(const std::string& text) {
  static const std::regex link(R"(\]\(([^)#\s]+)(#[^)]*)?\))");
  std::vector<std::string> found;
  for (std::sregex_iterator i(text.begin(), text.end(), link), end; i != end; ++i)
    if ((*i)[1].str().find("://") == std::string::npos) found.push_back((*i)[1]);
  return found;
}

// All that a pattern's first group matches.
std::set<std::string> all_of(const std::string& text, const std::string& pattern) {
  const std::regex expression(pattern);
  std::set<std::string> found;
  for (std::sregex_iterator i(text.begin(), text.end(), expression), end; i != end; ++i) found.insert((*i)[1]);
  return found;
}
std::set<std::string> options_in(const std::string& text) { return all_of(text, R"((?:^|[\s,`(])(--[a-z][a-z0-9-]*))"); }

const std::string& help_of(const std::string& command) {
  static std::map<std::string, std::string> known;
  const auto [entry, fresh] = known.emplace(command, "");
  if (fresh) entry->second = run(command + " --help").out;
  return entry->second;
}
const std::set<std::string>& commands() {
  static const std::set<std::string> all = all_of(run("--help").out, "\n  ([a-z]+) ");
  return all;
}

struct Mention {
  std::string command, options;
  bool whole = false;  // a line of its own that can be typed, not words in a sentence
};

// "    autodidact COMMAND …  # comment", and `autodidact COMMAND …` in the text.
std::vector<Mention> mentions(const std::string& text) {
  static const std::regex line(R"((?:^|\n)(?:    |\$ )(?:build/release/)?autodidact ([a-z]+)([^\n#]*))");
  static const std::regex words(R"(`autodidact ([a-z]+)([^`\n]*)`)");
  std::vector<Mention> found;
  for (const auto& [expression, whole] : {std::pair{&line, true}, std::pair{&words, false}})
    for (std::sregex_iterator i(text.begin(), text.end(), *expression), end; i != end; ++i)
      found.push_back({(*i)[1], (*i)[2], whole});
  return found;
}
}  // namespace

TEST_CASE("docs: the readers of pages see what they should") {
  CHECK(blocks_of({"```cpp", "a", "```", "b", "```sh", "c", "```"}, "cpp") == std::vector<Lines>{{"a"}});
  CHECK(unindented({"    a", "", "      b"}) == Lines{"a", "", "  b"});
  CHECK(quotes({"x", "  a", "    b", "y"}, {"a", "  b"}));
  CHECK_FALSE(quotes({"x", "  a", "  b", "y"}, {"a", "  b"}));
  CHECK_FALSE(quotes({"a", "x", "b"}, {"a", "b"}));
  CHECK(relative_links("[a](b.md) [c](http://d.e) [f](../g.hpp#h)") == std::vector<std::string>{"b.md", "../g.hpp"});
  CHECK(options_in("a --b, `--c-d 3` --e/--no-e x--f") == std::set<std::string>{"--b", "--c-d", "--e"});
  const auto found = mentions("x\n    autodidact plan --time 3  # y --z\nand `autodidact info --json` too");
  REQUIRE(found.size() == 2);
  CHECK(found[0].command == "plan");
  CHECK(found[0].options == " --time 3  ");
  CHECK(found[0].whole);
  CHECK(found[1].options == " --json");
  CHECK_FALSE(found[1].whole);
}

TEST_CASE("docs: README.md names both commands within its first 20 lines") {
  const Lines readme = lines_of("README.md");
  REQUIRE(readme.size() > 20);
  for (const char* command : {"    ./run demo", "    ./run test"}) {
    CAPTURE(command);
    CHECK(std::any_of(readme.begin(), readme.begin() + 20, [&](const std::string& line) { return line.starts_with(command); }));
  }
}

TEST_CASE("docs: the loop in README.md is the example's") {
  const Lines example = lines_of("examples/train_fashion_mnist.cpp");
  Lines marked;
  int marks = 0;
  for (const std::string& line : example) {
    if (contains(line, "// [loop]")) ++marks;
    else if (marks == 1) marked.push_back(line);
  }
  REQUIRE(marks == 2);
  REQUIRE(marked.size() > 10);
  const auto blocks = blocks_of(lines_of("README.md"), "cpp");
  REQUIRE(blocks.size() == 1);
  CHECK(unindented(marked) == blocks.front());
}

TEST_CASE("docs: every quotation of code is in the file that it names") {
  int quotations = 0;
  for (const fs::path& page : pages())
    for (const Lines& block : blocks_of(lines_of(page), "cpp")) {
      if (block.empty() || !block.front().starts_with("// ")) continue;
      const std::string file = block.front().substr(3);
      CAPTURE(page.string());
      CAPTURE(file);
      REQUIRE(fs::is_regular_file(kRoot / file));
      CHECK(quotes(lines_of(file), {block.begin() + 1, block.end()}));
      ++quotations;
    }
  CHECK(quotations > 0);
}

TEST_CASE("docs: every relative link leads to a file") {
  for (const fs::path& page : pages()) {
    const auto links = relative_links(read_text(kRoot / page));
    CAPTURE(page.string());
    for (const std::string& link : links) {
      CAPTURE(link);
      CHECK(fs::exists(kRoot / page.parent_path() / link));
    }
  }
  CHECK(relative_links(read_text(kRoot / "README.md")).size() > 10);
}

TEST_CASE("docs: README.md links every page of docs/") {
  const auto links = relative_links(read_text(kRoot / "README.md"));
  for (const fs::path& page : pages()) {
    CAPTURE(page.string());
    if (page.parent_path() == "docs") CHECK(std::find(links.begin(), links.end(), page.generic_string()) != links.end());
  }
}

TEST_CASE("docs: every command shown is one of the program's, with options that it has") {
  int typed = 0;
  for (const fs::path& page : pages())
    for (const Mention& mention : mentions(read_text(kRoot / page))) {
      CAPTURE(page.string());
      CAPTURE(mention.command);
      CAPTURE(mention.options);
      REQUIRE(commands().contains(mention.command));
      const bool ops = mention.options.starts_with(" ops"), peers = mention.options.starts_with(" peers");
      if (mention.command == "bench" && ops) continue;                                          // Google Benchmark's options
      if (mention.command == "bench" && peers && run("bench peers --help").status != 0) continue;  // there is no Python
      const std::set<std::string> known = options_in(help_of(mention.command + (peers ? " peers" : "")));
      for (const std::string& option : options_in(mention.options)) {
        CAPTURE(option);
        CHECK(known.contains(option));
      }
      if (!mention.whole || peers) continue;
      const std::string typed_options = mention.options.substr(0, mention.options.find_first_of("|>"));
      const Outcome outcome = run(mention.command + typed_options + " --dump-config");
      INFO(outcome.err);
      CHECK(outcome.status == 0);
      ++typed;
    }
  CHECK(typed > 10);
}

TEST_CASE("docs: every command and every option is on the program's page") {
  const std::string page = read_text(kRoot / "docs/program.md");
  const std::set<std::string> described = options_in(page);
  REQUIRE(commands().size() > 5);
  for (const std::string& command : commands()) {
    CAPTURE(command);
    CHECK(contains(page, "\n## " + command + "\n"));
    for (const std::string& option : options_in(help_of(command))) {
      CAPTURE(option);
      CHECK(described.contains(option));
    }
  }
}

TEST_CASE("docs: the table of exit codes lists the program's codes") {
  const std::string help = run("--help").out;
  const std::size_t at = help.find("exit codes: ");
  REQUIRE(at != std::string::npos);
  const std::set<std::string> codes = all_of(help.substr(at), R"([ ,](\d+) )");
  CHECK(codes.size() >= 7);
  const std::string page = read_text(kRoot / "docs/program.md");
  const std::size_t table = page.find("\n# Exit codes\n");
  REQUIRE(table != std::string::npos);
  CHECK(all_of(page.substr(table, page.find("\n# ", table + 1) - table), R"(\n\| (\d+) \|)") == codes);
}

TEST_CASE("docs: the keys of metrics.jsonl and of weights' metadata are on the program's page") {
  using namespace autodidact::train;
  const std::string page = read_text(kRoot / "docs/program.md");
  const auto metrics = nlohmann::json::parse(to_json_line({}));
  for (const auto& [key, value] : metrics.items()) {
    CAPTURE(key);
    CHECK(contains(page, "`" + key + "`"));
  }
  for (const auto& [key, value] : to_metadata({})) {
    CAPTURE(key);
    CHECK(contains(page, "`" + key + "`"));
  }
}

TEST_CASE("docs: every test that is named as showing what became of a fault exists, and no fault is left out") {
  std::string sources;
  for (const auto& entry : fs::recursive_directory_iterator(kRoot / "tests"))
    if (entry.path().extension() == ".cpp") sources += read_text(entry.path());
  // A name may be written as several literals.
  sources = std::regex_replace(sources, std::regex("\"\\s*\n\\s*\""), "");
  const std::string page = read_text(kRoot / "docs/testing.md");
  std::set<std::string> numbers;
  int named = 0;
  const std::regex row(R"(\n\| (\d+)(?: C)? \|[^\n]*\| ([^|\n]+) \|)"), quoted("`([^`]+)`");
  for (std::sregex_iterator line(page.begin(), page.end(), row), end; line != end; ++line) {
    numbers.insert((*line)[1]);
    const std::string tests = (*line)[2];
    for (std::sregex_iterator name(tests.begin(), tests.end(), quoted); name != end; ++name) {
      const std::string literal = fmt::format("\"{}\")", (*name)[1].str());
      CAPTURE(literal);
      CHECK(contains(sources, literal));
      ++named;
    }
  }
  CHECK(numbers == std::set<std::string>{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "14", "15", "16"});
  CHECK(named > 20);
}
