// train/resume.hpp: which checkpoint a run goes on from, and whether it may.
//
// A run that goes on must be the run that stopped. Of the options in config.toml only those may differ that change no number: where it
// writes and how often, where it ends, threads and memory. (Threads may choose other algorithms; that is said then.)
#pragma once
#include <optional>
#include <string>

#include "data/source.hpp"
#include "engine/threads.hpp"
#include "train/checkpoint_store.hpp"
#include "train/run_directory.hpp"
#include "train/training_run.hpp"

namespace autodidact::train {

// What RunOptions::resume lets --out hold: a run to go on with, if the checkpoint is one of its own, or may be.
ExistingRun existing_run(const RunOptions& options);

// Empty: the run starts anew. Damaged checkpoints are named on stderr and passed over if RunOptions::resume is "auto".
// Throws FileFormatError where none can be read; std::invalid_argument, naming the option, where it belongs to another run.
std::optional<Checkpoint> checkpoint_to_resume(const RunOptions& options, const data::Source& source, const CheckpointStore& store);

// CPU, library and threads in words: what the same bits depend on beside the options.
std::string machine_and_threads(const engine::Lanes& lanes);

// The first option by which two config.toml differ though they must not, in a sentence; empty if there is none. An option that one of them
// does not name is what `defaults`, in the same form, says of it: a run goes on though the program has got new options since.
std::string config_difference(const std::string& before, const std::string& now, const std::string& defaults = {});
// What a config.toml says of an option, as it stands there; "not given".
std::string option_of(const std::string& config, const std::string& name);
}  // namespace autodidact::train
