#include "data/cache_folder.hpp"

#include <cstdlib>

namespace autodidact::data {

std::filesystem::path user_cache_folder() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  if (cache && *cache == '/') return std::filesystem::path(cache) / "autodidact";
  if (home && *home == '/') return std::filesystem::path(home) / ".cache" / "autodidact";
  return {};
}

}  // namespace autodidact::data
