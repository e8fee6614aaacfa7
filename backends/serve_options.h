/* serve_options.h: the options of `muxbench serve`, for its command line and for experiments. */
#ifndef MUX_SERVE_OPTIONS_H
#define MUX_SERVE_OPTIONS_H

#include "backends/serve.h"
#include "common/option_table.h"

/* As read; mux_serve_options_resolve turns the texts into what config has of them. */
struct mux_serve_options {
  struct mux_serve_config config;
  const char *backend; /* a name or the path of a plug-in; NULL: none was given */
  const char *listen;
  const char *options; /* of the backend, "key=value,…", or NULL */
  bool allow_remote;
};

/* Into struct mux_serve_options. */
extern const struct mux_option_row mux_serve_option_table[];

/* What holds when no option is given. */
void mux_serve_options_default(struct mux_serve_options *options);

/* The backend of a name, or of the path of a plug-in. Returns 0, or -errno and the reason in why;
 * whether it can run here is its probe's to say (backends/registry.h). */
int mux_serve_find_backend(const struct mux_backend **backend, const char *name, char *why,
                           size_t why_bytes);

/* Completes config, whose backend is there already. Returns 0, or with the option to blame in
 * *error:
 *   -EINVAL   a mistake: no address, or not a local one; no option or value of this backend
 *   -ENOTSUP  right in itself, but nothing that this backend does: its transports, number of
 *             workers, ways to accept */
int mux_serve_options_resolve(struct mux_serve_options *options, struct mux_option_error *error);

#endif
