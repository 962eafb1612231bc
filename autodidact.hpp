// autodidact.hpp: the whole library, in the order in which data flows through it. Start with examples/.
#pragma once

// A graph of ops, compiled once into a program, run step after step.
#include "engine/compile/compile.hpp"
#include "engine/executor.hpp"
#include "engine/graph.hpp"
#include "engine/parameter_store.hpp"
#include "engine/program.hpp"
#include "engine/threads.hpp"

// The networks and the loss that joins their exits.
#include "model/distillation_loss.hpp"
#include "model/initialise.hpp"
#include "model/network.hpp"
#include "model/recipe.hpp"

// How it is minimised.
#include "optim/optimizer.hpp"
#include "optim/schedule.hpp"

// Images in, batches out.
#include "data/loader.hpp"
#include "data/source.hpp"

// Answers as soon as an exit is sure.
#include "train/calibration.hpp"
#include "train/cascade.hpp"
#include "train/policy_evaluation.hpp"

// What a run leaves behind.
#include "train/metrics_log.hpp"
#include "train/run_directory.hpp"
#include "train/safetensors.hpp"
#include "train/trainer.hpp"
#include "train/weights.hpp"
