// engine/mutation.hpp: switches that break one formula on purpose, to prove that a test would notice.
//
// Ops ask `mutated("batch_norm.reference.dx")` outside their loops and compute something wrong if it says yes. In the
// shipped library it is the constant false and costs nothing; the tests are linked with a copy of ops/ where it is live
// (AUTODIDACT_MUTATIONS) and name each switch in turn.
#pragma once
#include <string>
#include <string_view>

namespace autodidact::engine {
#ifdef AUTODIDACT_MUTATIONS
inline std::string active_mutation;
inline bool mutated(std::string_view formula) { return formula == active_mutation; }
#else
constexpr bool mutated(std::string_view) { return false; }
#endif
}  // namespace autodidact::engine
