/* build_info.h: what this binary was built from, for --version and run.json. */
#ifndef MUX_BUILD_INFO_H
#define MUX_BUILD_INFO_H

struct mux_build_info {
  const char *version;
  const char *git;      /* commit, with "-dirty" if the tree had changes; "unknown" */
  const char *compiler; /* name and version */
  const char *flags;    /* CPPFLAGS, CFLAGS and LDFLAGS */
};
extern const struct mux_build_info mux_build_info;

#endif
