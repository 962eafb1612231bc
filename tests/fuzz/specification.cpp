// The small languages of options: operations, augmentations, how often to save.
#include <stdexcept>
#include <string>

#include "data/augment.hpp"
#include "data/operation.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "train/save_every.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace autodidact;
  const std::string text(fuzz::text_of({data, size}));
  const auto refused = [](const auto& parse) {
    try {
      parse();
    } catch (const std::invalid_argument&) {  // quotes what the user typed; the program makes one line of it
    }
  };
  refused([&] {
    const data::LeveledOperation operation = data::parse_operation(text);
    data::Image image{{3, 5, 4}, std::vector<std::uint8_t>(60, 200)};
    std::vector<std::uint8_t> scratch;
    data::apply(operation, image, scratch);
  });
  refused([&] {
    const data::AugmentOptions options = data::parse_augment(text);
    if (data::augment_name(data::parse_augment(data::augment_name(options))) != data::augment_name(options))
      fuzz::fail("an augmentation's name is not understood", text);
  });
  refused([&] {
    const train::SaveEvery every = train::parse_save_every(text);
    if (every.each_epoch() != text.empty()) fuzz::fail("a time to save is no time", text);
  });
  return 0;
}
