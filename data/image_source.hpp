// data/image_source.hpp: the two halves of a folder or of shards of images.
//
//   folder:DIR    DIR/train/CLASS/… and DIR/test/CLASS/… or, without test, DIR/val/CLASS/… (image_folder.hpp). Classes are those
//                 of DIR/train. Where DIR has none of the three, its folders are the classes of one half.
//   tar:DIR       shards of both halves; tar:PATTERN: of one half (tar_shards.hpp)
// Without a test half nothing is tested when training ends. Images become grey or red, green, blue; transparency is dropped.
// Errors    as source.hpp; without a size, images of several sizes are std::invalid_argument.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/resize.hpp"
#include "data/source.hpp"

namespace autodidact::data {

class ImageSource {
 public:
  enum class Format { folder, tar };

  // Looks at the images of `parts`, all halves of which are brought to one size or none is. std::invalid_argument where size and
  // resize cannot be; DataError where there is nothing.
  ImageSource(Format format, std::string location, Parts parts, const SourceOptions& options);

  bool has_one_half() const { return one_half_; }
  Normalisation normalisation() const;
  DatasetPointer read(Half half) const;  // one of `parts`
  bool is_framed() const { return framing_.has_value(); }
  // What Source has of images alone.
  void describe(Source& source) const;

 private:
  struct Images {
    std::shared_ptr<const ImageIndex> index;  // null where nobody asked for them
    std::vector<std::string> class_names;
  };

  std::optional<std::string> folder_of(Half half) const;
  // `class_names`: of the training half or the network, where there are any, else empty.
  Images look(Half half, std::vector<std::string> class_names) const;
  Images look_into_folder(Half half, std::vector<std::string> class_names) const;
  Images look_into_shards(Half half, std::vector<std::string> class_names) const;
  IndexOptions index_options(const std::string& place) const;
  std::optional<Framing> framing() const;

  Format format_;
  std::string location_;
  SourceOptions options_;
  bool one_half_ = false;
  Images train_, test_;
  std::optional<Framing> framing_;
};

}  // namespace autodidact::data
