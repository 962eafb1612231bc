#include "train/plan_cache.hpp"

#include <fmt/format.h>

#define XXH_INLINE_ALL  // the hash is a header; there is nothing to link
#include <xxhash.h>

#include <charconv>
#include <cmath>
#include <fstream>
#include <map>
#include <sstream>

#include "data/cache_folder.hpp"
#include "engine/onednn.hpp"
#include "ops/kernels.hpp"
#include "train/atomic_file.hpp"
#include "train/errors.hpp"
#include "train/machine.hpp"
#include "data/one_line.hpp"

namespace autodidact::train {
namespace {

constexpr const char* kFirstLine = "autodidact timings 1";
// A network of 152 layers has about 3,000 keys of about 200 bytes; no file of ours is larger.
constexpr std::uintmax_t kLargestFile = 64U << 20U;

std::string hash_of(const std::string& text) { return fmt::format("{:016x}", XXH64(text.data(), text.size(), 0)); }

// "1.25<tab>key"
bool parse_line(const std::string& line, std::map<std::string, double>& entries) {
  const std::size_t tab = line.find('\t');
  double ms = 0;
  if (tab == std::string::npos || tab + 1 == line.size()) return false;
  const auto [end, error] = std::from_chars(line.data(), line.data() + tab, ms);
  if (error != std::errc() || end != line.data() + tab || !std::isfinite(ms) || ms < 0) return false;
  return entries.emplace(line.substr(tab + 1), ms).second;
}

std::string parse(std::istream& file, std::map<std::string, double>& entries) {
  std::string line, body;
  if (!std::getline(file, line) || line != kFirstLine) return "it is not a file of timings";
  if (!std::getline(file, line) || line != machine_text())
    return fmt::format("it was measured on another machine or of other kernels: {}", data::one_line(line, 200));
  while (std::getline(file, line)) {
    if (line.starts_with("end ") && line == fmt::format("end {} {}", entries.size(), hash_of(body))) {
      if (file.peek() == std::istream::traits_type::eof()) return {};
      break;
    }
    if (!parse_line(line, entries)) break;
    body += line + "\n";
  }
  return fmt::format("it is damaged behind entry {}", entries.size());
}
}  // namespace

std::string machine_text() {
  return fmt::format("{} {}/{}/{}, {}, oneDNN {} {}, kernels {}", cpuinfo("model name"), cpuinfo("cpu family"), cpuinfo("model"), cpuinfo("stepping"),
                     engine::onednn::isa(), engine::onednn::version(), engine::onednn::threading(), ops::hash_of_kernels());
}

std::filesystem::path default_plan_cache() {
  const std::filesystem::path folder = data::user_cache_folder();
  if (folder.empty()) return {};
  return folder / fmt::format("plan-{}.txt", hash_of(machine_text()));
}

std::string read_plan_cache(const std::filesystem::path& path, engine::Timings& timings) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (error) return std::filesystem::exists(path, error) ? fmt::format("{}: it cannot be read", path.string()) : std::string();
  if (size > kLargestFile) return fmt::format("{}: {} bytes are too many for a file of timings", path.string(), size);
  std::ifstream file(path, std::ios::binary);
  std::map<std::string, double> entries;
  if (const std::string reason = parse(file, entries); !reason.empty())
    return fmt::format("{} is not used: {}", path.string(), reason);
  for (const auto& [key, ms] : entries) timings.add(key, ms);
  return {};
}

void write_plan_cache(const std::filesystem::path& path, engine::Timings& timings) {
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  (void)read_plan_cache(path, timings);  // what another process has measured since
  std::string body;
  const auto all = timings.all();
  for (const auto& [key, ms] : all) body += fmt::format("{}\t{}\n", ms, key);  // all digits: read again, it decides alike
  write_file_atomically(path, fmt::format("{}\n{}\n{}end {} {}\n", kFirstLine, machine_text(), body, all.size(), hash_of(body)));
}
}  // namespace autodidact::train
