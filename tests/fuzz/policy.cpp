// Policies of early exit: what is read is a policy that can be written, read again and drawn.
#include "train/exit_policy_file.hpp"

#include <stdexcept>

#include "tests/fuzz/fuzz.hpp"
#include "train/frontier_chart.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace autodidact;
  const std::string text(fuzz::text_of({data, size}));
  fuzz::parses_or_refuses<std::invalid_argument>([&] {
    const train::PolicyFile policy = train::policy_from_text(text);
    const std::string written = train::policy_text(policy);
    if (train::policy_text(train::policy_from_text(written)) != written) fuzz::fail("what was read and written is not read back", written);
    if (train::frontier_figure(policy, "policy.json").words.empty()) fuzz::fail("a chart says nothing", written);
  });
  return 0;
}
