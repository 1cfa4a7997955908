# What python/pyproject.toml puts into a wheel: the libraries that Python loads,
# under the names that it looks for. They find libMLIR where the build did.

if(MXFP4_PREBUILT)
  # They were built by another build, whose folder of libraries this names.
  add_custom_target(python-libraries)
  foreach(name mxfp4rt mxfp4 mxfp4-sim mxfp4-sim-cuda)
    get_filename_component(file ${MXFP4_PREBUILT}/lib${name}.so REALPATH)
    install(FILES ${file} RENAME lib${name}.so DESTINATION lib COMPONENT python)
  endforeach()
  return()
endif()

add_custom_target(python-libraries DEPENDS MXFP4Runtime)
install(FILES $<TARGET_FILE:MXFP4Runtime> RENAME libmxfp4rt.so
        DESTINATION lib COMPONENT python)
if(NOT MXFP4_RUNTIME_ONLY)
  add_dependencies(python-libraries MXFP4C MXFP4SimC MXFP4SimCuda)
  install(FILES $<TARGET_FILE:MXFP4C> RENAME libmxfp4.so
          DESTINATION lib COMPONENT python)
  install(FILES $<TARGET_FILE:MXFP4SimC> RENAME libmxfp4-sim.so
          DESTINATION lib COMPONENT python)
  install(FILES $<TARGET_FILE:MXFP4SimCuda> RENAME libmxfp4-sim-cuda.so
          DESTINATION lib COMPONENT python)
endif()
