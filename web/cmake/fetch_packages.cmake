# WORK/node_modules from SOURCE/package-lock.json: by npm, or from the folder NODE_MODULES.
file(MAKE_DIRECTORY ${WORK})
foreach(name package.json package-lock.json .npmrc)
    file(COPY_FILE ${SOURCE}/${name} ${WORK}/${name})
endforeach()

if(NODE_MODULES)
    file(REMOVE_RECURSE ${WORK}/node_modules)
    file(CREATE_LINK ${NODE_MODULES} ${WORK}/node_modules SYMBOLIC)
else()
    execute_process(
        COMMAND ${NPM} ci --ignore-scripts --no-audit --no-fund --loglevel=error
        WORKING_DIRECTORY ${WORK} RESULT_VARIABLE failed OUTPUT_QUIET)
    if(failed)
        message(FATAL_ERROR "npm could not fetch the console's packages (it said why above). "
            "Check the network, or give a folder that has them: "
            "-DJIKJI_NODE_MODULES=/path/to/node_modules")
    endif()
endif()
file(TOUCH ${WORK}/packages.stamp)
