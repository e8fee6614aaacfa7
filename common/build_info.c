/* build_info.c: rebuilt whenever the compiler, the flags or the git revision change. */
#include "common/build_info.h"

#include "build_stamp.h" /* written by the Makefile */

const struct mux_build_info mux_build_info = {
    .version = "0.1.0",
    .git = MUX_STAMP_GIT,
    .compiler = MUX_STAMP_COMPILER,
    .flags = MUX_STAMP_FLAGS,
};
