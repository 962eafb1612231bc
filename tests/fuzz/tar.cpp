// Shards: what is found in one lies in it, has a label that can be, and decodes.
#include "data/tar_shards.hpp"

#include "data/error.hpp"
#include "tests/fuzz/fuzz.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace autodidact;
  static const fuzz::Folder folder;
  const std::string path = folder.write("shard.tar", {data, size}).string();
  fuzz::parses_or_refuses<data::DataError>([&] {
    const data::IndexedFile shard = data::examine_shard(path);
    for (const std::string& bad : shard.bad) fuzz::require_sentence(bad);
    for (const data::IndexedImage& image : shard.images) {
      if (image.label < 0 || image.label > data::kMaxLabel) fuzz::fail("a label is of no class", image.key);
      if (image.offset > size || image.bytes > size - image.offset) fuzz::fail("an image lies outside its shard", image.key);
      if (image.width < 1 || image.height < 1) fuzz::fail("an image has no pixels", image.key);
    }
  });
  return 0;
}
