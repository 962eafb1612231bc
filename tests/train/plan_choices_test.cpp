#include "train/plan_choices.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "engine/compile/compile.hpp"
#include "train/programs.hpp"

namespace {
using namespace autodidact;
using engine::Branches;

std::string choices_of(const train::ProgramOptions& options) {
  engine::Lanes two(engine::Lanes::layout_for(2));
  const model::NetworkOptions network{.classes = 10, .image_height = 16, .image_width = 16, .width = 4};
  train::Programs programs(network, model::recipe_by_name("seed"), two, options);
  return train::plan_choices(programs.training(4));
}
}  // namespace

TEST_CASE("plan choices: a program that prefers those of another is it, its branches side by side, with a part of the trunk beside them, or in turn, and else the difference is said") {
  const std::string side_by_side = choices_of({.choose = engine::Choose::fixed, .branches = Branches::side_by_side});
  const std::string in_turn = choices_of({.choose = engine::Choose::fixed, .branches = Branches::in_turn});
  for (const std::string& before : {side_by_side, in_turn}) CHECK(choices_of({.prefer = train::lines_of(before)}) == before);
  std::vector<std::string> with_trunk{engine::beside_line("layer4.1.conv1", engine::Pass::backward_data), engine::beside_line("layer4.1.conv2", engine::Pass::forward)};
  with_trunk.insert(with_trunk.begin(), line_of(Branches::side_by_side));
  const std::string beside = choices_of({.choose = engine::Choose::fixed, .prefer = with_trunk});
  CHECK(beside != side_by_side);
  CHECK(choices_of({.prefer = train::lines_of(beside)}) == beside);
  CHECK(train::choices_difference(side_by_side, beside) == "2 steps of the trunk run beside the branches, it was 0");
  CHECK(train::choices_difference(in_turn, in_turn).empty());
  CHECK(train::choices_difference(in_turn, side_by_side) == "the branches run side by side, they ran in turn");
  CHECK(train::choices_difference(in_turn.substr(in_turn.find('\n') + 1), in_turn).empty());  // written before it was said
  const std::size_t direct = in_turn.find("\tdirect\t");
  REQUIRE(direct != std::string::npos);
  const std::string other = std::string(in_turn).replace(direct, 8, "\tanother\t");
  CHECK(train::choices_difference(in_turn, other).starts_with("1 of "));
}
