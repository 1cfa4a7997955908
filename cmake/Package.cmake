# `cmake --install`: headers, tablegen files and the package that
# find_package(MXFP4) finds. Libraries and tools install themselves.

include(CMakePackageConfigHelpers)

if(MXFP4_RUNTIME_ONLY)
  install(FILES ${PROJECT_SOURCE_DIR}/include/mxfp4-c/Runtime.h
          DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/mxfp4-c)
else()
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/
                    ${PROJECT_BINARY_DIR}/include/
          DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
          FILES_MATCHING PATTERN "*.h" PATTERN "*.td" PATTERN "*.h.inc"
          PATTERN "CMakeFiles" EXCLUDE)
endif()
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/MXFP4)
install(EXPORT MXFP4RuntimeTargets NAMESPACE MXFP4:: DESTINATION ${package})
if(NOT MXFP4_RUNTIME_ONLY)
  install(EXPORT MXFP4Targets NAMESPACE MXFP4:: DESTINATION ${package})
  configure_file(${PROJECT_SOURCE_DIR}/cmake/MXFP4Compiler.cmake.in
                 ${PROJECT_BINARY_DIR}/MXFP4Compiler.cmake @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/MXFP4Compiler.cmake
          DESTINATION ${package})
endif()
configure_package_config_file(
  ${PROJECT_SOURCE_DIR}/cmake/MXFP4Config.cmake.in
  ${PROJECT_BINARY_DIR}/MXFP4Config.cmake INSTALL_DESTINATION ${package})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/MXFP4ConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/MXFP4Config.cmake
              ${PROJECT_BINARY_DIR}/MXFP4ConfigVersion.cmake
        DESTINATION ${package})
