// Large results of our own convolutions, which are stored past the caches (ops/channel_products.hpp, kPastCaches).
#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "engine/compile/compile.hpp"
#include "engine/executor.hpp"
#include "engine/onednn.hpp"
#include "ops/convolution.hpp"

namespace {
using namespace autodidact;
using namespace autodidact::engine;

// y and dx of so many images, by one implementation of ours.
std::vector<std::vector<double>> images_alone(std::int64_t images, std::int64_t side, const std::string& id, const std::string& implementation) {
  constexpr std::int64_t kChannels = 256;
  const std::int64_t pad = (side - 1) / 2;
  Graph graph;
  const Shape planes{images, kChannels, 32, 32};
  graph.output("y", apply(graph, "y", autodidact::ops::Convolution({.pad_h = pad, .pad_w = pad}),
                          {graph.input("x", planes, Role::activation), graph.parameter("w", {kChannels, kChannels, side, side})}));
  CompileOptions options{.choose = Choose::fixed, .cotangents = {"y"}, .differentiate = {"x"}, .blocks = {16}};
  for (const char* pass : {"forward", "backward_data"}) options.prefer.push_back("y\t" + std::string(pass) + "\t" + id + "\t" + implementation + "\tnChw16c nChw16c");
  Lanes lanes(1);
  Program program = compile(graph, options, lanes);
  for (const Task& task : program.tasks())
    if (task.pass != Pass::backward_weights && task.node == "y" && !task.pack) REQUIRE(task.implementation == implementation);
  ParameterStore store(std::make_shared<const ParameterLayout>(graph), DType::f32);
  const auto numbers = [](std::int64_t count) {
    std::vector<double> all(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<double>(i * 37 % 1021) / 1021 - 0.5;
    return all;
  };
  store.set(Section::values, store.layout().parameters().front(), numbers(kChannels * kChannels * side * side));
  program.set("x", numbers(planes.count()));
  program.set("d/y", numbers(planes.count()));
  Executor executor(lanes);
  executor.run(program, store);
  return {program.get("y"), program.get("d/x")};
}
}  // namespace

TEST_CASE("convolution: results that are stored past the caches are those that are kept in them, bit for bit") {
  if (!onednn::has_avx512()) return;
  // Eight mebibytes of a result go past the caches, half of it does not.
  for (const auto& [side, id, implementation] :
       {std::tuple{1, "strassen", "own_strassen"}, std::tuple{3, "winograd", "own_wino_4x3"}}) {
    CAPTURE(implementation);
    const auto many = images_alone(8, side, id, implementation), few = images_alone(4, side, id, implementation);
    for (std::size_t i = 0; i < many.size(); ++i) {
      const std::vector<double> first(many[i].begin(), many[i].begin() + static_cast<std::ptrdiff_t>(few[i].size()));
      CHECK((first == few[i]));
      CHECK(std::any_of(first.begin(), first.end(), [](double number) { return number != 0; }));
    }
  }
}
