# cmake --install build/release --prefix P: the program, the library, its headers, and a package for find_package.
#
# Headers include each other root-relative ("engine/graph.hpp"), so a consumer gets two include folders: include, for
# <autodidact/engine/graph.hpp>, and include/autodidact, where the root-relative ones resolve.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/autodidact)

# A library found outside the system's folders (another oneDNN) must be found again from the installed program.
set_target_properties(autodidact_cli PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON)
set_target_properties(autodidact_dependencies PROPERTIES EXPORT_NAME dependencies)

install(TARGETS autodidact_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
# `bench peers`, which lies in folders as it does here, with the network in PyTorch; and `bench ops`.
foreach(file IN ITEMS bench/peers.py bench/peer/step.py bench/peer/README.md tests/oracle/seed_network.py)
  get_filename_component(folder ${file} DIRECTORY)
  install(FILES ${CMAKE_SOURCE_DIR}/${file} DESTINATION ${CMAKE_INSTALL_DATADIR}/autodidact/${folder})
endforeach()
if(AUTODIDACT_BENCH)
  set_target_properties(bench_ops PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON)
  install(TARGETS bench_ops RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/autodidact OPTIONAL)
endif()
install(TARGETS autodidact autodidact_dependencies EXPORT autodidactTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})

foreach(room IN LISTS AUTODIDACT_ROOMS)
  install(DIRECTORY ${CMAKE_SOURCE_DIR}/${room} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/autodidact
          FILES_MATCHING PATTERN "*.hpp")
endforeach()
install(FILES ${CMAKE_SOURCE_DIR}/autodidact.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/autodidact)

configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/autodidactConfig.cmake.in
                              ${CMAKE_BINARY_DIR}/cmake/autodidactConfig.cmake
                              INSTALL_DESTINATION ${package_folder} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/cmake/autodidactConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/cmake/autodidactConfig.cmake
              ${CMAKE_BINARY_DIR}/cmake/autodidactConfigVersion.cmake
        DESTINATION ${package_folder})
install(EXPORT autodidactTargets NAMESPACE autodidact:: DESTINATION ${package_folder})
