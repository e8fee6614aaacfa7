/* cmd_serve.c: `muxbench serve`: from its options to a server. */
#include "backends/registry.h"
#include "backends/serve_options.h"
#include "common/cli.h"
#include "common/command.h"
#include "common/sock.h"

static const struct mux_backend *find_backend(const char *name) {
  const struct mux_backend *backend = NULL;
  struct mux_option_error error = {.key = "backend"};
  char names[384];
  char why[384];
  if (name == NULL) {
    mux_option_error_set(&error, "backend", "missing; there are: %s",
                         mux_registry_names(names, sizeof names));
    mux_option_error_die(&error);
  }
  if (mux_serve_find_backend(&backend, name, error.text, sizeof error.text) != 0)
    mux_option_error_die(&error);
  if (mux_backend_probe(backend, why, sizeof why) != 0) {
    mux_option_error_set(&error, "backend", "%s is not available: %s", backend->name, why);
    mux_option_error_die(&error);
  }
  return backend;
}

int cmd_serve(int argc, char **argv) {
  static const char doc[] = "Serve echo (RFC 862) with one backend until SIGTERM or SIGINT."
                            "\vPrints one line 'listening ADDR' once clients can connect. Sizes "
                            "are bytes or take KiB and "
                            "MiB; times take us, ms, s and min, and are seconds without a unit.\n\n"
                            "Example: muxbench serve --backend epoll-et --cpus 0";
  struct mux_serve_options options;
  struct mux_option_error error;
  mux_serve_options_default(&options);
  mux_option_table_parse(mux_serve_option_table, doc, argc, argv, &options);
  options.config.backend = find_backend(options.backend);
  if (mux_serve_options_resolve(&options, &error) != 0)
    mux_option_error_die(&error);
  mux_raise_nofile();
  return mux_serve(&options.config);
}
