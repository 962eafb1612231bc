// The library's loop: trains a narrow four-exit ResNet-18 on Fashion-MNIST and prints what each exit has learned.
// usage: train_fashion_mnist [EPOCHS]
#include <autodidact.hpp>

#include <cstdio>
#include <cstdlib>

using namespace autodidact;

int main(int argc, char** argv) {
  const std::uint64_t epochs = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1;
  // [loop]
  engine::Lanes lanes;  // teams of threads on every core that this process may use
  const data::Source source = data::open_source("fashion-mnist");
  train::Trainer trainer({.network = {.classes = 10, .channels = source.channels, .width = 16},
                          .recipe = model::recipe_by_name("seed")}, lanes);
  const auto loader = [&](const data::DatasetPointer& images, data::Order order) {
    return data::Loader(images, data::Augmentation({}, images->shape(), *source.normalisation), {.order = order});
  };
  data::Loader training = loader(source.train, data::Order::shuffled);
  data::Loader test = loader(source.test, data::Order::sequential);
  for (std::uint64_t epoch = 0; epoch < epochs; ++epoch) {
    training.start(epoch);
    while (const data::Batch* batch = training.next()) trainer.step(*batch, /*learning_rate=*/0.1);
    test.start(0);
    std::printf("epoch %d: ensemble %.2f %%\n", int(epoch) + 1, trainer.evaluate(test).ensemble);
  }
  // [loop]
}
