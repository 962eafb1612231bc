// `autodidact convert`
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/arguments.hpp"
#include "cli/command.hpp"
#include "train/atomic_file.hpp"
#include "train/convert.hpp"

namespace autodidact::cli {

int run_convert(const Arguments& arguments) {
  NetworkArguments network;
  RecipeArguments recipe;
  ImageArguments images;
  std::string weights, reader, out;
  std::uint64_t seed = 0;
  App app("convert", "Weights with exactly the names that a PyTorch module expects, for load_state_dict(strict=True).");
  app->add_option("--weights", weights, "weights (safetensors)")->required();
  app->add_option("--for", reader, "seed, seed+adaptation or torchvision: whose names, and which tensors")->required();
  app->add_option("--out", out, "file to write (safetensors)")->required();
  app->add_option("--seed", seed, "of adaptation layers that the file lacks");
  network.declare(*app);
  recipe.declare_name(*app);
  images.declare(*app);
  leave_network_to_weights(app);
  app.parse(arguments);

  const train::Reader wanted = train::reader_by_name(reader);
  train::require_replaceable(out);
  const train::SafetensorsFile file = train::read_safetensors(weights);
  const train::Conversion conversion =
      train::convert_weights(file, info_of(file, *app, network, recipe, images), wanted, seed, out);
  fmt::print("{}: {} tensors for {}; {} of {} are left out\n", out, conversion.tensors, reader, conversion.left_out.size(), weights);
  if (!conversion.made.empty()) fmt::print("freshly initialised: {}\n", fmt::join(conversion.made, ", "));
  return 0;
}
}  // namespace autodidact::cli
