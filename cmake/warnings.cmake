# Flags of our own sources; never exported.
add_library(autodidact_warnings INTERFACE)
target_compile_options(autodidact_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
                       -fno-math-errno -fno-trapping-math)
