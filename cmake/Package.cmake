# `cmake --install`: headers, tablegen files and the package that
# find_package(MXFP4) finds. Libraries and tools install themselves.

include(CMakePackageConfigHelpers)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/
                  ${PROJECT_BINARY_DIR}/include/
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h" PATTERN "*.td" PATTERN "*.h.inc"
        PATTERN "CMakeFiles" EXCLUDE)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/MXFP4)
install(EXPORT MXFP4Targets NAMESPACE MXFP4:: DESTINATION ${package})
configure_package_config_file(
  ${PROJECT_SOURCE_DIR}/cmake/MXFP4Config.cmake.in
  ${PROJECT_BINARY_DIR}/MXFP4Config.cmake INSTALL_DESTINATION ${package})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/MXFP4ConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/MXFP4Config.cmake
              ${PROJECT_BINARY_DIR}/MXFP4ConfigVersion.cmake
        DESTINATION ${package})
