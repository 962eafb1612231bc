// Files that may be compressed. What is refused is refused before more than the limit is held.
#include "data/error.hpp"
#include "data/file.hpp"
#include "tests/fuzz/fuzz.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace autodidact;
  constexpr std::size_t kLimit = std::size_t{1} << 20;
  static const fuzz::Folder folder;
  const auto path = folder.write("f.gz", {data, size});
  fuzz::parses_or_refuses<data::DataError>([&] {
    const std::vector<std::uint8_t> content = data::read_file(path, kLimit);
    if (content.size() > kLimit || content.capacity() > 2 * kLimit) fuzz::fail("more is held than was allowed", path.string());
  });
  return 0;
}
