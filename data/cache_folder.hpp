// data/cache_folder.hpp: where a program keeps what it can make again.
#pragma once
#include <filesystem>

namespace autodidact::data {

// $XDG_CACHE_HOME/autodidact, or ~/.cache/autodidact; empty where neither variable holds an absolute path.
std::filesystem::path user_cache_folder();

}  // namespace autodidact::data
