// tests/oracle/golden.hpp: the golden files of this folder (README.md has the tensors), as the engine takes them.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "data/loader.hpp"
#include "model/network.hpp"
#include "model/recipe.hpp"
#include "train/safetensors.hpp"

namespace autodidact::testing {

train::SafetensorsFile read_golden(const std::string& name);  // "resnet18"
std::vector<double> numbers_of(const train::TensorRecord& tensor);

// Where a network's file starts from: what it was made with, its weights with fresh running statistics, and its batch.
struct GoldenStart {
  explicit GoldenStart(const train::SafetensorsFile& file);
  GoldenStart(const GoldenStart&) = delete;
  GoldenStart& operator=(const GoldenStart&) = delete;

  model::NetworkOptions network;
  train::SafetensorsFile weights;  // by the names of the model
  std::vector<float> images;
  std::vector<std::int32_t> labels;
  data::Batch batch;
};
}  // namespace autodidact::testing
