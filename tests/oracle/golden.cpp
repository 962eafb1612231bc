#include "tests/oracle/golden.hpp"

#include <algorithm>
#include <cstring>

namespace autodidact::testing {
using train::FileType, train::SafetensorsFile, train::TensorRecord;

namespace {

std::int64_t number(const SafetensorsFile& file, const std::string& key) { return std::stoll(file.metadata.at(key)); }

model::NetworkOptions network_of(const SafetensorsFile& file) {
  model::NetworkOptions network;
  network.model = file.metadata.at("model");
  network.width = number(file, "width");
  network.classes = number(file, "classes");
  network.channels = number(file, "channels");
  network.image_height = network.image_width = number(file, "side");
  if (network.model != "resnet18") {  // basic blocks have neither
    network.groups = number(file, "groups");
    network.width_per_group = number(file, "width_per_group");
  }
  return network;
}

SafetensorsFile weights_of(const SafetensorsFile& file) {
  SafetensorsFile weights{.path = file.path, .metadata = {}, .tensors = {}};
  for (TensorRecord tensor : file.tensors) {
    if (tensor.name.starts_with("weight/")) {
      tensor.name = tensor.name.substr(7);
    } else if (tensor.name.starts_with("after1/")) {
      const std::vector<float> fresh(numbers_of(tensor).size(), tensor.name.ends_with("running_var") ? 1.0F : 0.0F);
      tensor.name = tensor.name.substr(7);
      tensor.type = FileType::f32;
      tensor.bytes.resize(fresh.size() * sizeof(float));
      std::memcpy(tensor.bytes.data(), fresh.data(), tensor.bytes.size());
    } else {
      continue;
    }
    weights.tensors.push_back(std::move(tensor));
  }
  std::sort(weights.tensors.begin(), weights.tensors.end(),
            [](const TensorRecord& a, const TensorRecord& b) { return a.name < b.name; });
  return weights;
}
}  // namespace

SafetensorsFile read_golden(const std::string& name) {
  return train::read_safetensors(AUTODIDACT_SOURCE_DIR "/tests/oracle/" + name + ".safetensors");
}

std::vector<double> numbers_of(const TensorRecord& tensor) {
  const auto wide = [](const auto& numbers) { return std::vector<double>(numbers.begin(), numbers.end()); };
  if (tensor.type == FileType::f64) return wide(tensor.values<double>());
  if (tensor.type == FileType::f32) return wide(tensor.values<float>());
  return wide(tensor.values<std::int64_t>());
}

GoldenStart::GoldenStart(const SafetensorsFile& file)
    : network(network_of(file)), weights(weights_of(file)) {
  const auto pixels = file.require("images", FileType::f32).values<float>();
  const auto classes = file.require("labels", FileType::i64).values<std::int64_t>();
  images.assign(pixels.begin(), pixels.end());
  labels.assign(classes.begin(), classes.end());
  batch.images = images;
  batch.labels = labels;
  batch.count = labels.size();
}
}  // namespace autodidact::testing
