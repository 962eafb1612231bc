#include "data/contact_sheet.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace autodidact::data {

namespace {

constexpr int kWantedSide = 72;  // small images are shown at least about so large
constexpr int kGap = 4, kWideGap = 20;
constexpr std::uint8_t kPaper = 255;
constexpr int kMaxSheetSide = 16384;

class Sheet {
 public:
  Sheet(ImageShape shape, int rows, int columns)
      : shape_(shape), scale_(std::max(1, kWantedSide / std::max(shape.height, shape.width))) {
    const int height = kGap + rows * (shape.height * scale_ + kGap);
    const int width = left_of(columns);
    if (std::max(height, width) > kMaxSheetSide) {
      throw std::invalid_argument(
          fmt::format("a sheet of {} samples of {}×{} pixels would have {}×{}, at most {} a side",
                      rows, shape.height, shape.width, height, width, kMaxSheetSide));
    }
    image_.shape = {shape.channels >= 3 ? 3 : 1, height, width};
    image_.pixels.assign(image_.shape.bytes(), kPaper);
  }

  void place(ConstBytes pixels, int row, int column) {
    const int top = kGap + row * (shape_.height * scale_ + kGap), left = left_of(column);
    for (int c = 0; c < image_.shape.channels; ++c) {
      for (int y = 0; y < shape_.height * scale_; ++y) {
        const std::uint8_t* in = pixels.data() + (c * shape_.height + y / scale_) * shape_.width;
        std::uint8_t* out =
            image_.pixels.data() + static_cast<std::size_t>(c) * image_.shape.plane() +
            static_cast<std::size_t>(top + y) * static_cast<std::size_t>(image_.shape.width) + left;
        for (int x = 0; x < shape_.width * scale_; ++x) out[x] = in[x / scale_];
      }
    }
  }

  Image take() { return std::move(image_); }

 private:
  int left_of(int column) const {
    return kGap + column * (shape_.width * scale_ + kGap) + (column > 0 ? kWideGap - kGap : 0);
  }

  ImageShape shape_;
  int scale_;
  Image image_;
};

}  // namespace

Image make_contact_sheet(const Dataset& dataset, std::span<const std::uint32_t> samples,
                         Augmentation augmentation, const ContactSheet& options) {
  if (samples.empty()) throw std::invalid_argument("a contact sheet needs at least one sample");
  Sheet sheet(dataset.shape(), static_cast<int>(samples.size()), options.epochs + 1);
  for (std::size_t row = 0; row < samples.size(); ++row) {
    dataset.copy_image(samples[row], augmentation.input());
    sheet.place(augmentation.input(), static_cast<int>(row), 0);
    for (int epoch = 0; epoch < options.epochs; ++epoch) {
      engine::Random random(options.seed, engine::Purpose::augmentation,
                            static_cast<std::uint64_t>(epoch), samples[row]);
      augmentation.load(dataset, samples[row], random);
      sheet.place(augmentation.augment(random), static_cast<int>(row), epoch + 1);
    }
  }
  return sheet.take();
}

}  // namespace autodidact::data
