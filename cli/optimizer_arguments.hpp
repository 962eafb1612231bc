// cli/optimizer_arguments.hpp: how gradients become new weights: --optimizer and the numbers of each.
#pragma once
#include <string>

#include "cli/command.hpp"
#include "optim/optimizer.hpp"

namespace autodidact::cli {

// --optimizer --lr --weight-decay --no-decay-bn; --momentum (sgd, lars), --nesterov (sgd), --trust-coefficient (lars),
// --beta1 --beta2 --epsilon (adamw). A number that the chosen optimizer has not got is refused, and not dumped.
struct OptimizerArguments {
  std::string optimizer = "sgd";
  double lr = 0, weight_decay = 0;  // not given: what suits the optimizer
  double momentum = 0.9, trust_coefficient = 1e-3, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  bool nesterov = false, no_decay_bn = false;
  void declare(App& app);
  optim::OptimizerOptions options() const;

 private:
  void settle(CLI::App& app);
};
}  // namespace autodidact::cli
