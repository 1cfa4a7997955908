# What python/pyproject.toml puts into a wheel: the libraries that Python loads,
# under the names that it looks for. They find libMLIR where the build did.

install(FILES $<TARGET_FILE:MXFP4Runtime> RENAME libmxfp4rt.so
        DESTINATION lib COMPONENT python)
if(NOT MXFP4_RUNTIME_ONLY)
  install(FILES $<TARGET_FILE:MXFP4C> RENAME libmxfp4.so
          DESTINATION lib COMPONENT python)
  install(FILES $<TARGET_FILE:MXFP4SimC> RENAME libmxfp4-sim.so
          DESTINATION lib COMPONENT python)
endif()
