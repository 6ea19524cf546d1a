# What `cmake --install` puts where: library, headers, command and the CMake package `flashbias`.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS flashbias EXPORT flashbiasTargets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
foreach(target IN ITEMS flashbias_format flashbias_command)  # where they are built
  if(TARGET ${target})
    install(TARGETS ${target} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endforeach()
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/flashbias ${PROJECT_BINARY_DIR}/generated/include/flashbias
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

set(package_directory ${CMAKE_INSTALL_LIBDIR}/cmake/flashbias)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/flashbiasConfig.cmake.in
                              ${PROJECT_BINARY_DIR}/generated/flashbiasConfig.cmake
                              INSTALL_DESTINATION ${package_directory})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/generated/flashbiasConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/generated/flashbiasConfig.cmake
              ${PROJECT_BINARY_DIR}/generated/flashbiasConfigVersion.cmake
        DESTINATION ${package_directory})
install(EXPORT flashbiasTargets NAMESPACE flashbias:: DESTINATION ${package_directory})
