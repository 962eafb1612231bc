#include "cli/optimizer_arguments.hpp"

#include <fmt/format.h>

#include <array>
#include <stdexcept>
#include <string_view>

namespace autodidact::cli {
namespace {

struct Defaults {
  std::string_view optimizer;
  double lr, weight_decay;
};
constexpr std::array<Defaults, 3> kDefaults{{{"sgd", 0.1, 5e-4}, {"lars", 1, 5e-4}, {"adamw", 1e-3, 1e-2}}};

// An option that not every optimizer has, and those that have it.
struct Own {
  const char* option;
  std::string_view optimizers;
};
constexpr std::array<Own, 6> kOwn{{{"--momentum", "sgd and lars"},
                                   {"--nesterov", "sgd"},
                                   {"--trust-coefficient", "lars"},
                                   {"--beta1", "adamw"},
                                   {"--beta2", "adamw"},
                                   {"--epsilon", "adamw"}}};
}  // namespace

void OptimizerArguments::declare(App& app) {
  app->add_option("--optimizer", optimizer, "sgd, lars or adamw")->check(CLI::IsMember({"sgd", "lars", "adamw"}));
  app->add_option("--lr", lr, "learning rate; default 0.1 for sgd, 1 for lars, 0.001 for adamw");
  app->add_option("--momentum", momentum, "momentum of sgd and lars");
  app->add_flag("--nesterov", nesterov, "Nesterov's momentum; sgd");
  app->add_option("--weight-decay", weight_decay, "on every parameter; default 5e-4, for adamw, where it is decoupled, 0.01");
  app->add_flag("--no-decay-bn", no_decay_bn, "no decay for the weights and biases of batch norms");
  app->add_option("--trust-coefficient", trust_coefficient, "length of a layer's step, as a part of the layer's; lars");
  app->add_option("--beta1", beta1, "memory of the first moment; adamw");
  app->add_option("--beta2", beta2, "memory of the second moment; adamw");
  app->add_option("--epsilon", epsilon, "what is added to the root of the second moment; adamw");
  app.after_parsing([this, &app] { settle(*app); });
}

void OptimizerArguments::settle(CLI::App& app) {
  for (const Defaults& defaults : kDefaults) {
    if (defaults.optimizer != optimizer) continue;
    const auto fill = [&](const char* name, double& value, double suitable) {
      if (app.count(name) > 0) return;
      value = suitable;
      app.get_option(name)->default_str(fmt::format("{}", suitable));
    };
    fill("--lr", lr, defaults.lr);
    fill("--weight-decay", weight_decay, defaults.weight_decay);
  }
  for (const Own& own : kOwn) {
    if (own.optimizers.find(optimizer) != std::string_view::npos) continue;
    CLI::Option* option = app.get_option(own.option);
    if (option->count() > 0)
      throw std::invalid_argument(fmt::format("{} is of --optimizer {}; this is {}", own.option, own.optimizers, optimizer));
    option->configurable(false);
  }
}

optim::OptimizerOptions OptimizerArguments::options() const {
  if (optimizer == "lars")
    return optim::LarsOptions{.momentum = momentum, .weight_decay = weight_decay, .trust_coefficient = trust_coefficient,
                              .decay_batch_norm = !no_decay_bn};
  if (optimizer == "adamw")
    return optim::AdamwOptions{.beta1 = beta1, .beta2 = beta2, .epsilon = epsilon, .weight_decay = weight_decay,
                               .decay_batch_norm = !no_decay_bn};
  return optim::SgdOptions{.momentum = momentum, .weight_decay = weight_decay, .nesterov = nesterov, .decay_batch_norm = !no_decay_bn};
}
}  // namespace autodidact::cli
