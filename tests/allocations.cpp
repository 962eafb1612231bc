#include "tests/allocations.hpp"

#include <dlfcn.h>
#include <execinfo.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <sstream>
#include <string_view>

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && defined(__GLIBC__)
#define AUTODIDACT_OWN_MALLOC 1
#else
#define AUTODIDACT_OWN_MALLOC 0
#endif

namespace autodidact::testing {
namespace {

constexpr int kFrames = 16;

struct Call {
  std::size_t bytes = 0;
  const void* caller = nullptr;  // of malloc
  int depth = 0;
  std::array<void*, kFrames> stack;
};

std::unique_ptr<Call[]> calls;
std::atomic<bool> recording = false;
std::atomic<std::size_t> recorded = 0;
thread_local bool inside = false;  // backtrace may itself allocate

[[maybe_unused]] void record(std::size_t bytes, const void* caller) {
  if (!recording.load(std::memory_order_relaxed) || inside) return;
  inside = true;
  if (const std::size_t i = recorded++; i < AllocationRecording::kMost) {
    calls[i].bytes = bytes;
    calls[i].caller = caller;
    calls[i].depth = backtrace(calls[i].stack.data(), kFrames);
  }
  inside = false;
}

// What calls to allocate on somebody's behalf: the frame behind it is the one that wanted memory.
bool is_language_library(std::string_view module) {
  constexpr std::array<std::string_view, 4> kNames{"libc.so", "libstdc++.so", "libc++", "libgcc_s"};
  return std::any_of(kNames.begin(), kNames.end(),
                     [&](std::string_view name) { return module.starts_with(name); });
}

std::string_view module_of(const Dl_info& info) {
  const std::string_view path = info.dli_fname ? info.dli_fname : "";
  return path.substr(path.rfind('/') + 1);
}

Allocation explain(const Call& call) {
  Dl_info self{}, info{};
  dladdr(reinterpret_cast<const void*>(&is_language_library), &self);
  const auto end = call.stack.begin() + call.depth;
  Allocation allocation{call.bytes, false, "?"};
  for (auto frame = std::find(call.stack.begin(), end, call.caller); frame != end; ++frame) {
    if (!dladdr(*frame, &info) || is_language_library(module_of(info))) continue;
    allocation.ours = info.dli_fbase == self.dli_fbase;
    std::ostringstream text;
    text << module_of(info) << "+0x" << std::hex
         << static_cast<const char*>(*frame) - static_cast<const char*>(info.dli_fbase);
    if (info.dli_sname) text << ' ' << info.dli_sname;
    allocation.caller = text.str();
    break;
  }
  return allocation;
}
}  // namespace

bool allocations_are_seen() { return AUTODIDACT_OWN_MALLOC; }

void AllocationRecording::start() {
  calls = std::make_unique<Call[]>(kMost);
  void* warm[2];
  backtrace(warm, 2);  // the first call loads a library
  recorded = 0;
  recording = true;
}

std::vector<Allocation> AllocationRecording::stop() {
  recording = false;
  std::vector<Allocation> all;
  for (std::size_t i = 0; i < std::min(recorded.load(), kMost); ++i)
    all.push_back(explain(calls[i]));
  calls.reset();
  return all;
}
}  // namespace autodidact::testing

#if AUTODIDACT_OWN_MALLOC
// operator new of the C++ library calls malloc or aligned_alloc, and so comes by here too.
extern "C" {
void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t count, std::size_t bytes);
void* __libc_realloc(void* old, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);

void* malloc(std::size_t bytes) {
  autodidact::testing::record(bytes, __builtin_return_address(0));
  return __libc_malloc(bytes);
}
void* calloc(std::size_t count, std::size_t bytes) {
  autodidact::testing::record(count * bytes, __builtin_return_address(0));
  return __libc_calloc(count, bytes);
}
void* realloc(void* old, std::size_t bytes) {
  autodidact::testing::record(bytes, __builtin_return_address(0));
  return __libc_realloc(old, bytes);
}
void* memalign(std::size_t alignment, std::size_t bytes) {
  autodidact::testing::record(bytes, __builtin_return_address(0));
  return __libc_memalign(alignment, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  autodidact::testing::record(bytes, __builtin_return_address(0));
  return __libc_memalign(alignment, bytes);
}
int posix_memalign(void** result, std::size_t alignment, std::size_t bytes) {
  autodidact::testing::record(bytes, __builtin_return_address(0));
  *result = __libc_memalign(alignment, bytes);
  return *result ? 0 : ENOMEM;
}
}
#endif
