// train/machine.hpp: what the operating system says of this machine and this process.
#pragma once
#include <cstddef>
#include <string>

namespace autodidact::train {

// The value of a field of /proc/cpuinfo, of the first processor; empty where there is none.
std::string cpuinfo(const std::string& field);

// The most memory that this process has had at any time, in bytes.
std::size_t peak_rss_bytes();

// The memory that it has now.
std::size_t resident_bytes();

// Seconds since this process was started by the system, what it did before main included.
double process_seconds();
}  // namespace autodidact::train
