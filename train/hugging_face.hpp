// train/hugging_face.hpp: weights as a folder that can be uploaded to a hub of models.
//
//   model.safetensors         the weights, all tensors of the file; `format` of the metadata is "pt", which loaders there ask for
//   config.json               the network, its exits, id2label and label2id
//   preprocessor_config.json  size, scale, mean and deviation; only where the weights say with what they were trained
//   README.md                 the model card: what it is, how to use it, and what was measured; nothing that was not
#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "train/exit_accuracies.hpp"
#include "train/run_record.hpp"
#include "train/weights.hpp"

namespace autodidact::train {

// Accuracies of the very weights, in %, and what a reader must know to judge them.
struct MeasuredFigures {
  ExitAccuracies accuracies;
  std::string part;   // "validation", "test" or "training"
  std::string data;   // the kind of --data, without its folder: a card is for others
  std::string machine;
  double epoch = 0;
  std::int64_t step = 0;
};
// The epoch of the run that ended after as many steps as the weights have taken; nothing if there is none, or if the run trained
// another network. Throws data::DataError as read_run does.
std::optional<MeasuredFigures> figures_of(const RunRecord& run, const ModelInfo& info, std::int64_t steps);

// Makes the folder whole or not at all. Throws std::invalid_argument if there is something of that name already.
void write_hugging_face(const std::filesystem::path& folder, const SafetensorsFile& weights, const ModelInfo& info,
                        const std::optional<MeasuredFigures>& figures);
}  // namespace autodidact::train
