# ops/kernels.hpp: the hash of our kernels, made again whenever one of their sources or the way to compile them changes.
file(GLOB kernels CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/ops/*.cpp" "${CMAKE_SOURCE_DIR}/ops/*.hpp"
     "${CMAKE_SOURCE_DIR}/engine/simd.hpp" "${CMAKE_SOURCE_DIR}/engine/bf16.hpp")
set(hashing "${CMAKE_SOURCE_DIR}/cmake/hash_of_sources.cmake")
set(template "${CMAKE_SOURCE_DIR}/ops/kernels.cpp.in")
string(TOUPPER "${CMAKE_BUILD_TYPE}" type)
set(compiled "${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION} ${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${type}}")
set(hashed "${CMAKE_BINARY_DIR}/ops/kernels.cpp")
add_custom_command(OUTPUT "${hashed}"
  COMMAND "${CMAKE_COMMAND}" "-DSOURCES=${kernels}" "-DCOMPILED=${compiled}" "-DTEMPLATE=${template}" "-DOUT=${hashed}" -P "${hashing}"
  DEPENDS ${kernels} "${template}" "${hashing}" VERBATIM)
autodidact_room(autodidact_kernels)
target_sources(autodidact_kernels PRIVATE "${hashed}")
target_sources(autodidact PRIVATE $<TARGET_OBJECTS:autodidact_kernels>)
