// train/image_batch.hpp: images as a network takes them, in a safetensors file, and what its exits answer.
//
// A batch file holds `images`, F32 (N,C,H,W), already normalised, and may hold `labels`, I64 (N) in 0 … classes−1. A file of
// logits holds `logits/1` … `logits/4`, F32 (N,Q), as far as the network has these exits.
#pragma once
#include <array>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "engine/shape.hpp"
#include "train/safetensors.hpp"
#include "train/trainer.hpp"

namespace autodidact::train {

struct ImageBatch {
  engine::Shape shape;              // (N,C,H,W)
  std::vector<float> images;
  std::vector<std::int32_t> labels;  // N, or empty: unknown
};
// Throws data::DataError naming file and tensor, also for numbers that are not finite.
ImageBatch read_image_batch(const std::filesystem::path& path, std::int64_t classes);

struct BatchLogits {
  std::array<std::vector<float>, kExits> exits;  // (N,Q); empty where the network has no such exit
  ExitAccuracies accuracies;                     // by the labels, if there are any
};
// By the running statistics, at most `at_a_time` images in one program. Throws NumericalError as Trainer::evaluate does.
BatchLogits logits_of(Trainer& trainer, const ImageBatch& batch, std::int64_t at_a_time);

// Atomic.
void write_logits(const std::filesystem::path& path, const Metadata& metadata, const BatchLogits& logits, std::int64_t images);
}  // namespace autodidact::train
