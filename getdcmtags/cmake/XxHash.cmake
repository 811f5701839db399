# The target xxhash::xxhash. Debian's libxxhash-dev has no package file of its own, and pkg-config may be missing.
find_path(XXHASH_INCLUDE_DIR xxhash.h)
find_library(XXHASH_LIBRARY xxhash)
if(NOT XXHASH_INCLUDE_DIR OR NOT XXHASH_LIBRARY)
  message(FATAL_ERROR "xxHash is missing: install libxxhash-dev")
endif()
add_library(xxhash::xxhash UNKNOWN IMPORTED)
set_target_properties(xxhash::xxhash PROPERTIES
  IMPORTED_LOCATION "${XXHASH_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES "${XXHASH_INCLUDE_DIR}")

# libxxhash for x86 is built for SSE2, and beside it has XXH3 for the processor at hand: three times as fast with AVX-512.
include(CheckCXXSourceCompiles)
set(CMAKE_REQUIRED_INCLUDES ${XXHASH_INCLUDE_DIR})
set(CMAKE_REQUIRED_LIBRARIES ${XXHASH_LIBRARY})
check_cxx_source_compiles("#include <xxh_x86dispatch.h>
int main() { return XXH3_128bits_update_dispatch(nullptr, nullptr, 0) + static_cast<int>(XXH3_128bits_dispatch(nullptr, 0).low64); }"
  XXHASH_HAS_DISPATCH)
unset(CMAKE_REQUIRED_INCLUDES)
unset(CMAKE_REQUIRED_LIBRARIES)
if(XXHASH_HAS_DISPATCH)
  set_target_properties(xxhash::xxhash PROPERTIES INTERFACE_COMPILE_DEFINITIONS MERCURE_XXHASH_DISPATCH)
endif()
