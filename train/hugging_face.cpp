#include "train/hugging_face.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "train/atomic_file.hpp"
#include "train/errors.hpp"
#include "train/file_descriptor.hpp"

namespace autodidact::train {
namespace fs = std::filesystem;
using nlohmann::ordered_json;

namespace {

constexpr const char* kWeights = "model.safetensors";

std::string dumped(const ordered_json& json) { return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n"; }

std::vector<int> exits_of(const ModelInfo& info) {
  return network_of(info).branches ? std::vector{1, 2, 3, 4} : std::vector{4};
}

// Class q by name, as far as names are known.
std::string class_name(const ModelInfo& info, int q) {
  const auto index = static_cast<std::size_t>(q);
  return index < info.class_names.size() ? info.class_names[index] : fmt::format("LABEL_{}", q);
}

std::string config_json(const ModelInfo& info) {
  ordered_json json{{"model_type", "autodidact"}, {"model", info.model}, {"width", info.width}, {"stem", info.stem},
                    {"groups", info.groups}, {"width_per_group", info.width_per_group}, {"dilated_stages", info.dilated_stages},
                    {"pooling", info.pooling}, {"recipe", info.recipe}, {"exits", exits_of(info)},
                    {"adaptation_exits", info.adaptation_exits}, {"num_channels", info.channels}, {"image_size", info.side},
                    {"num_labels", info.classes}};
  for (int q = 0; q < info.classes; ++q) {
    json["id2label"][std::to_string(q)] = class_name(info, q);
    json["label2id"][class_name(info, q)] = q;
  }
  json["image_mean"] = info.mean;
  json["image_std"] = info.std;
  return dumped(json);
}

std::string preprocessor_json(const ModelInfo& info) {
  constexpr int kBilinear = 2;  // in Pillow's numbers
  const ordered_json square{{"height", info.side}, {"width", info.side}};
  const bool framed = info.resize.has_value();
  ordered_json json{{"do_resize", framed}, {"size", framed ? ordered_json{{"shortest_edge", *info.resize}} : square}};
  if (framed) json["resample"] = kBilinear;
  json["do_center_crop"] = framed;
  if (framed) json["crop_size"] = square;
  json.update({{"do_rescale", true}, {"rescale_factor", 1.0 / 255}, {"do_normalize", true}, {"image_mean", info.mean}, {"image_std", info.std}});
  return dumped(json);
}

// A word as YAML takes any text.
std::string yaml(const std::string& text) { return ordered_json(text).dump(-1, ' ', false, ordered_json::error_handler_t::replace); }

struct Figure {
  std::string name;
  double percent;
};
std::vector<Figure> figures_in(const ExitAccuracies& accuracies) {
  std::vector<Figure> figures;
  for (std::size_t k = 0; k < kExits; ++k)
    if (std::isfinite(accuracies.exits[k])) figures.push_back({fmt::format("exit {}/4", k + 1), accuracies.exits[k]});
  if (std::isfinite(accuracies.ensemble)) figures.push_back({"ensemble", accuracies.ensemble});
  return figures;
}

// What the hub reads.
std::string front_matter(const ModelInfo& info, const std::optional<MeasuredFigures>& figures) {
  std::string text = "---\nlibrary_name: autodidact\npipeline_tag: image-classification\ntags:\n- self-distillation\n- early-exit\n- resnet\n";
  if (figures) {
    text += fmt::format("model-index:\n- name: {}\n  results:\n  - task:\n      type: image-classification\n    dataset:\n"
                        "      name: {}\n      type: {}\n      split: {}\n    metrics:\n",
                        yaml(info.model), yaml(figures->data), yaml(figures->data), yaml(figures->part));
    for (const Figure& figure : figures_in(figures->accuracies))
      text += fmt::format("    - type: accuracy\n      name: {}\n      value: {:.2f}\n", yaml("accuracy, " + figure.name), figure.percent);
  }
  return text + "---\n";
}

std::string measured(const std::optional<MeasuredFigures>& figures) {
  if (!figures) return "No figures of these weights are at hand, so none are given.\n";
  std::string text = fmt::format("Accuracy in % on the {} part of `{}`, after epoch {:g} ({} steps){}:\n\n| exit | accuracy |\n|---|---|\n",
                                 figures->part, figures->data, figures->epoch, figures->step,
                                 figures->machine.empty() ? "" : ", on " + figures->machine);
  for (const Figure& figure : figures_in(figures->accuracies)) text += fmt::format("| {} | {:.2f} |\n", figure.name, figure.percent);
  if (figures->part == "test") text += "\nThe best epoch was picked on this part too, so these figures flatter.\n";
  if (figures->part == "training") text += "\nThese are images that the network was trained on.\n";
  if (figures->part == "validation") text += "\nThis part was held out from training; the best epoch was picked on it.\n";
  return text;
}

std::string training_text(const ModelInfo& info) {
  if (!network_of(info).branches) return "The plain network, trained without branches.";
  if (info.recipe == "none") return "Every exit was trained by the labels alone, without distillation.";
  return fmt::format("Trained with self-distillation, recipe `{}`: the deepest of its four classifiers taught the other three "
                     "(arXiv:1905.08094).", info.recipe);
}

std::string model_card(const ModelInfo& info, const std::optional<MeasuredFigures>& figures) {
  const bool branches = network_of(info).branches;
  std::string text = front_matter(info, figures);
  text += fmt::format("\n# {} of width {}, {}\n\n", info.model, info.width, branches ? "with four exits" : "with one exit");
  text += fmt::format("Takes {} × {} × {} images and knows {} classes. {}\n\n", info.channels, info.side, info.side, info.classes,
                      training_text(info));
  text += "## Accuracy\n\n" + measured(figures) + "\n## Use\n\n";
  text += fmt::format("    autodidact eval --weights {} --data …\n    autodidact export --weights {} --onnx model.onnx\n\n", kWeights, kWeights);
  text += "Names of tensors are those of a PyTorch state dict: `conv1.weight`, `layer1.0.bn1.running_var`, `fc4.weight`.\n";
  text += info.mean.empty() ? "With what mean and deviation images were normalised is not known.\n"
                            : fmt::format("Pixels p/255 are normalised to (p/255 − mean)/std with mean {} and std {}.\n",
                                          ordered_json(info.mean).dump(), ordered_json(info.std).dump());
  return text;
}

void write_weights(const fs::path& path, const SafetensorsFile& weights, const ModelInfo& info) {
  Metadata metadata = to_metadata(info);
  metadata["format"] = "pt";
  std::vector<TensorView> tensors;
  for (const TensorRecord& tensor : weights.tensors) tensors.push_back({tensor.name, tensor.type, tensor.shape, tensor.bytes});
  write_safetensors(path, metadata, tensors);
}

// A folder under another name until it is whole.
class PartialFolder {
 public:
  explicit PartialFolder(fs::path target) : target_(std::move(target)) {
    if (!target_.has_filename()) target_ = target_.parent_path();  // "DIR/"
    std::error_code error;
    if (fs::exists(fs::symlink_status(target_, error)))
      throw std::invalid_argument(fmt::format("{} exists already; a folder is made anew", target_.string()));
    const fs::path parent = target_.has_parent_path() ? target_.parent_path() : fs::path(".");
    partial_ = parent / fmt::format("{}{}", partial_prefix(target_.filename().string()), ::getpid());
    if (!fs::create_directory(partial_, error)) throw_resource_error("make", target_, error ? error.value() : EEXIST);
  }
  ~PartialFolder() {
    std::error_code ignored;
    if (!done_) fs::remove_all(partial_, ignored);
  }
  PartialFolder(const PartialFolder&) = delete;
  PartialFolder& operator=(const PartialFolder&) = delete;

  fs::path operator/(const char* name) const { return partial_ / name; }
  void commit() {
    std::error_code error;
    fs::rename(partial_, target_, error);
    if (error) throw_resource_error("make", target_, error.value());
    done_ = true;
    const fs::path parent = target_.has_parent_path() ? target_.parent_path() : fs::path(".");
    const FileDescriptor handle(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (handle.valid()) (void)::fsync(handle.get());
  }

 private:
  fs::path target_, partial_;
  bool done_ = false;
};

bool trained(const RunRecord& run, const ModelInfo& info) {
  const auto same = [&](const char* option, const std::string& value) { return run.option(option).empty() || run.option(option) == value; };
  return same("model", info.model) && same("width", std::to_string(info.width)) && same("recipe", info.recipe);
}
}  // namespace

std::optional<MeasuredFigures> figures_of(const RunRecord& run, const ModelInfo& info, std::int64_t steps) {
  if (!trained(run, info)) return {};
  for (const MetricsRow& row : epoch_rows(run))
    if (row.step == steps)
      return MeasuredFigures{.accuracies = row.accuracies, .part = std::string(judged_on(run)), .data = run.option("data").substr(0, run.option("data").find(':')),
                             .machine = run.machine, .epoch = row.epoch, .step = row.step};
  return {};
}

void write_hugging_face(const fs::path& folder, const SafetensorsFile& weights, const ModelInfo& info,
                        const std::optional<MeasuredFigures>& figures) {
  PartialFolder partial(folder);
  write_weights(partial / kWeights, weights, info);
  write_file_atomically(partial / "config.json", config_json(info));
  if (!info.mean.empty()) write_file_atomically(partial / "preprocessor_config.json", preprocessor_json(info));
  write_file_atomically(partial / "README.md", model_card(info, figures));
  partial.commit();
}
}  // namespace autodidact::train
