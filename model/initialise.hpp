// model/initialise.hpp: the numbers that training starts from.
//
// Source    Convolutions: He et al. 2015, arXiv:1502.01852, equation 14 (kaiming normal, fan_out, gain √2). Linear layers:
//           PyTorch's default. zero_init_residual: Goyal et al. 2017, arXiv:1706.02677 §5.1.
//
// convolution  weight (Co,C/G,R,S)   normal, mean 0, variance 2/(Co·R·S): the fan_out of a layer without groups, as published
// linear       weight (Q,F), bias    uniform in ±1/√F
// batch norm   γ 1, β 0; running mean 0, running variance 1
//
// A parameter's numbers depend on the seed and on its name alone: the same on every machine whose C library agrees on log, cos
// and sin, in every order, and for `fc4` the same with branches as without. They are rounded to f32, so that a network in f64
// starts from the same point.
#pragma once
#include <cstdint>

#include "engine/parameter_store.hpp"

namespace autodidact::model {

struct InitialiseOptions {
  bool zero_init_residual =
      false;  // γ of the last batch norm of each residual block starts at 0: the block starts as identity
};

// Fills values, states and staged states. What a parameter is follows from its name and rank.
void initialise(engine::ParameterStore& store, std::uint64_t seed, InitialiseOptions options = {});
}  // namespace autodidact::model
