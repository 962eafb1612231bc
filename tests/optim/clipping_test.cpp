#include "optim/clipping.hpp"

#include <doctest/doctest.h>

TEST_CASE("clipping: longer gradients are scaled to the bound, shorter ones are left alone, and 0 is no bound") {
  using namespace autodidact::optim;
  CHECK(clip_scale(4, 1) == 1 / (4 + 1e-6));  // as torch.nn.utils.clip_grad_norm_
  CHECK(clip_scale(0.5, 1) == 1);
  CHECK(clip_scale(0, 1) == 1);
  CHECK(clip_scale(1e9, 0) == 1);
  CHECK_THROWS_AS(check_clip_norm(-1), std::invalid_argument);
}
