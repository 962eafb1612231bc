// train/init_from.hpp: weights of another network as the start of a run: what fits by name and shape is taken, and all is reported.
//
// So a ResNet of torchvision gives its trunk (and fc, where the classes are as many), and a network of our own all that does not hang on
// the number of classes; under the stem `cifar` the 7×7 convolution of an ImageNet network is of another shape and conv1 starts fresh.
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "train/strict_json.hpp"
#include "train/weights.hpp"

namespace autodidact::train {

// Throws FileFormatError if nothing fits, and as load_weights does.
LoadReport load_start(const SafetensorsFile& file, engine::ParameterStore& store);

// Counts, and the first few names of each kind, for a terminal; and all of them: `matched`, `missing`, `unexpected`, `mismatched`.
std::string report_text(const std::filesystem::path& path, const LoadReport& report);
nlohmann::ordered_json to_json(const LoadReport& report);
// Of JSON that holds a report: its lists are no longer than the header of a file of weights has room for tensors.
inline constexpr JsonLimits kLoadReportLimits{.array = std::size_t{1} << 21};
// And back. Throws std::invalid_argument that says what is wrong.
LoadReport load_report_from_json(const nlohmann::json& json);
}  // namespace autodidact::train
