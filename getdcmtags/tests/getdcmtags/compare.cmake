# Runs PROGRAM on SAMPLE and compares what it prints with the file EXPECTED.
execute_process(COMMAND ${PROGRAM} ${SAMPLE} OUTPUT_VARIABLE printed RESULT_VARIABLE code)
file(READ ${EXPECTED} wanted)
if(NOT code EQUAL 0 OR NOT printed STREQUAL wanted)
  message(FATAL_ERROR "exit ${code}\nprinted: ${printed}wanted:  ${wanted}")
endif()
