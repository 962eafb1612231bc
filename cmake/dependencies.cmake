# Everything the library links, gathered in one interface target. All of it comes from the distribution; a oneDNN of
# another version is found by -DCMAKE_PREFIX_PATH (see docs/onednn.md).
find_package(Threads REQUIRED)
find_package(TBB REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(Eigen3 REQUIRED NO_MODULE)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(LibArchive REQUIRED)
find_package(PNG REQUIRED)
find_package(JPEG REQUIRED)
find_package(dnnl REQUIRED)
find_package(Protobuf REQUIRED)  # before ONNX, whose package names it and does not look for it
find_package(ONNX REQUIRED)

add_library(autodidact_dependencies INTERFACE)
target_link_libraries(autodidact_dependencies INTERFACE DNNL::dnnl TBB::tbb OpenMP::OpenMP_CXX Eigen3::Eigen fmt::fmt
                      nlohmann_json::nlohmann_json LibArchive::LibArchive PNG::PNG JPEG::JPEG Threads::Threads)
# The files that ONNX is written by name its headers themselves (train/CMakeLists.txt): its definitions are nobody else's.
target_link_libraries(autodidact_dependencies INTERFACE $<LINK_ONLY:onnx_proto>)
