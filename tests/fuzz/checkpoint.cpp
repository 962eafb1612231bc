// Checkpoints: the bytes as a file, as a file with its seal put right, behind which damage would otherwise hide, and as the JSON text
// that says where the run is, in a file that is whole.
#include "train/checkpoint.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine/graph.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "train/errors.hpp"
#include "train/plan_choices.hpp"
#include "train/resume.hpp"

namespace {
using namespace autodidact;
using namespace autodidact::train;

constexpr std::size_t kSeal = 8;

std::shared_ptr<const engine::ParameterLayout> layout() {
  engine::Graph graph;
  (void)graph.parameter("w", {2});
  (void)graph.state("s", {1});
  return std::make_shared<const engine::ParameterLayout>(graph);
}

std::vector<std::uint8_t> with_right_seal(fuzz::Bytes bytes) {
  std::vector<std::uint8_t> file(bytes.begin(), bytes.end());
  if (file.size() < kSeal) return file;
  const std::uint64_t hash = XXH64(file.data(), file.size() - kSeal, 0);
  for (std::size_t i = 0; i < kSeal; ++i) file[file.size() - kSeal + i] = static_cast<std::uint8_t>(hash >> (8 * i));
  return file;
}

// As a run that goes on uses it.
void use(const std::filesystem::path& path) {
  fuzz::parses_or_refuses<FileFormatError>([&] {
    const Checkpoint checkpoint = read_checkpoint(path);
    const RunState& state = checkpoint.state;
    Stretch(Ensemble::all, state.epoch_sums).row(state.steps, 0.5, 0.1);
    (void)config_difference(state.config, "lr=0.1\n");
    (void)choices_difference(state.choices, "conv1\tforward\ta\tb\tplain\n");
    (void)lines_of(state.choices);
    engine::ParameterStore store(layout(), engine::DType::f32);
    restore(checkpoint, store);
  });
}

void write_with_state(const std::filesystem::path& path, std::string_view state) {
  const std::vector<float> numbers{1, 2};
  const std::span<const float> two(numbers), one = two.first(1);
  std::vector<TensorView> tensors{view_of<float>("values/w", {2}, two), view_of<float>("momentum/w", {2}, two), view_of<float>("states/s", {1}, one)};
  for (const char* name : {"config", "metrics", "choices", "timings"}) tensors.push_back(view_of<std::uint8_t>(name, {0}, {}));
  write_sealed_safetensors(path, {{"format", "autodidact checkpoint 2"}, {"state", std::string(state)}}, tensors);
}
}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::Folder folder;
  const fuzz::Bytes bytes(data, size);
  use(folder.write("c.safetensors", bytes));
  use(folder.write("c.safetensors", with_right_seal(bytes)));
  write_with_state(folder.path() / "state.safetensors", fuzz::text_of(bytes));
  use(folder.path() / "state.safetensors");
  return 0;
}
