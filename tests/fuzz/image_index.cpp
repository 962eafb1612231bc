// The cached index of images: the bytes as the file, and with its seal put right, behind which damage would otherwise hide.
#include "data/image_index.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstring>

#include "tests/fuzz/fuzz.hpp"

namespace {
using namespace autodidact;

constexpr const char* kPlace = "place";

void read(const std::string& bytes) {
  const std::vector<data::IndexedFile> files = data::unpack_index(kPlace, bytes);
  if (!files.empty() && data::pack_index(kPlace, files) != bytes) fuzz::fail("what was read is not written again", "");
}
}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes(fuzz::text_of({data, size}));
  read(bytes);
  if (size < sizeof(XXH64_hash_t)) return 0;
  const std::size_t body = size - sizeof(XXH64_hash_t);
  const XXH64_hash_t seal = XXH64(bytes.data(), body, 0);
  std::memcpy(bytes.data() + body, &seal, sizeof seal);
  read(bytes);
  return 0;
}
