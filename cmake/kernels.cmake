# ops/kernels.hpp: the hash of our kernels' sources, made again whenever one of them changes.
file(GLOB kernels CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/ops/*.cpp" "${CMAKE_SOURCE_DIR}/ops/*.hpp")
set(hashing "${CMAKE_SOURCE_DIR}/cmake/hash_of_sources.cmake")
set(template "${CMAKE_SOURCE_DIR}/ops/kernels.cpp.in")
set(hashed "${CMAKE_BINARY_DIR}/ops/kernels.cpp")
add_custom_command(OUTPUT "${hashed}"
  COMMAND "${CMAKE_COMMAND}" "-DFOLDER=${CMAKE_SOURCE_DIR}/ops" "-DTEMPLATE=${template}" "-DOUT=${hashed}" -P "${hashing}"
  DEPENDS ${kernels} "${template}" "${hashing}" VERBATIM)
autodidact_room(autodidact_kernels)
target_sources(autodidact_kernels PRIVATE "${hashed}")
target_sources(autodidact PRIVATE $<TARGET_OBJECTS:autodidact_kernels>)
