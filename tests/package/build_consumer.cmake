# cmake -D BUILD=.. -D CONFIG=.. -D CONSUMER=.. -D GENERATOR=.. -D WORK=.. [-D INSTALLED_COMMAND=bin/flashbias]
#       -P build_consumer.cmake
file(REMOVE_RECURSE ${WORK})

function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

run(${CMAKE_COMMAND} --install ${BUILD} --config ${CONFIG} --prefix ${WORK}/prefix)
if(INSTALLED_COMMAND)
  run(${WORK}/prefix/${INSTALLED_COMMAND} --version)
endif()
# The library's dependencies are hidden: a package that asked its consumer for one of them would fail here.
run(${CMAKE_COMMAND} -S ${CONSUMER} -B ${WORK}/build -G ${GENERATOR} -D CMAKE_BUILD_TYPE=${CONFIG}
    -D CMAKE_PREFIX_PATH=${WORK}/prefix -D CMAKE_DISABLE_FIND_PACKAGE_fmt=ON -D CMAKE_DISABLE_FIND_PACKAGE_OpenSSL=ON
    -D CMAKE_DISABLE_FIND_PACKAGE_nlohmann_json=ON --no-warn-unused-cli)
run(${CMAKE_COMMAND} --build ${WORK}/build --config ${CONFIG})
run(${WORK}/build/consumer)
run(${WORK}/build/c_consumer)
