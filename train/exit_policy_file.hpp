// train/exit_policy_file.hpp: a policy as a JSON file, with what it was made for and what it promises.
//
// What decides must be there: format, version, measure, exits, otherwise. The rest is what `calibrate` knows besides; a policy that was
// written by hand can do without. docs/program.md has the keys.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "train/exit_accuracies.hpp"
#include "train/exit_costs.hpp"
#include "train/exit_policy.hpp"
#include "train/weights.hpp"

namespace autodidact::train {

// One policy by its two ends: time relative to trunk and fc4 alone, and accuracy in percent.
struct FrontierPoint {
  double relative_time = 1, accuracy = 0;
  ExitPolicy policy = {};
  bool operator==(const FrontierPoint&) const = default;
};

// What a policy did on the images that it was chosen by.
struct PolicyValidation {
  std::int64_t images = 0;
  std::uint64_t seed = 0;  // of the split
  ExitAccuracies full = {};  // every exit for every image
  double accuracy = 0;
  std::array<double, model::kExits> share_per_exit{};  // of the images, 0 … 1
  double ms_per_image = 0, trunk_ms_per_image = 0;
};

struct PolicyFile {
  ExitPolicy policy = {};
  std::int64_t batch = 128;
  Metadata network = {};  // empty: any
  std::string weights = {}, machine = {};  // empty: unknown
  std::optional<ExitCosts> times = {};
  std::optional<PolicyValidation> validation = {};
  std::vector<FrontierPoint> frontier = {};
};

// What of a network a policy depends on: the metadata of its weights without names, figures and the way it was trained.
Metadata policy_network(const ModelInfo& info);
// A hash of the numbers that inference reads: policies belong to weights, not only to a network.
std::string weights_hash(const engine::ParameterStore& store);

// As write_policy writes it.
std::string policy_text(const PolicyFile& file);
// Atomic; ResourceError.
void write_policy(const std::filesystem::path& path, const PolicyFile& file);
// And back; std::invalid_argument for what is damaged or makes no sense.
PolicyFile policy_from_text(const std::string& text);
// FileFormatError naming the file and what is wrong with it: missing, damaged, or a policy that makes no sense.
PolicyFile read_policy(const std::filesystem::path& path);
// FileFormatError if the policy was made for another network.
void require_network(const std::filesystem::path& path, const PolicyFile& file, const ModelInfo& info);
}  // namespace autodidact::train
