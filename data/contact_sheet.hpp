// data/contact_sheet.hpp: samples before and after augmentation, side by side in one picture, to be looked at.
//
// A row a sample: the original, a wide gap, then what it becomes in epochs 0, 1, 2 …, before normalising. Pixels are shown as squares
// where images are small. Images of two channels are shown in grey by their first, those of four in colour by their first three.
#pragma once
#include <cstdint>
#include <span>

#include "data/augment.hpp"
#include "data/dataset.hpp"

namespace autodidact::data {

struct ContactSheet {
  std::uint64_t seed = 0;
  int epochs = 7;  // columns beside the original
};

// `samples` are indices into the dataset, one a row. std::invalid_argument where there are none, or images are so large that the
// sheet has a side of more than 16,384 pixels.
Image make_contact_sheet(const Dataset& dataset, std::span<const std::uint32_t> samples,
                         Augmentation augmentation, const ContactSheet& options);

}  // namespace autodidact::data
