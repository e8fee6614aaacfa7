/* cli.h: what all commands share: exit codes, messages, strict parsing of option values, and result
 * files (output.h).
 *
 * Data goes to stdout, everything else to stderr. A message is one line, begins with
 * "muxbench: " and names the option or the file and line that is to blame. Control characters in it
 * are escaped, wherever they came from; what prints elsewhere uses mux_printable. */
#ifndef MUX_CLI_H
#define MUX_CLI_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/output.h"

enum mux_exit {
  MUX_EXIT_OK = 0,
  MUX_EXIT_FAILED = 1,        /* ran, but something failed */
  MUX_EXIT_USAGE = 2,         /* usage or configuration */
  MUX_EXIT_THRESHOLD = 3,     /* a threshold was missed */
  MUX_EXIT_UNDECIDED = 4,     /* a gate could not be decided */
  MUX_EXIT_INTERRUPTED = 130, /* partial results kept */
};

/* One line to stderr. */
void mux_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
void mux_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same, then exit(status). Only while a command is being set up. */
_Noreturn void mux_die(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Copies text into out as valid UTF-8 without control characters: what is one, and what is not
 * UTF-8, as \xNN byte by byte. Cut to fit, at a whole character. Returns out. */
char *mux_printable(char *out, size_t out_bytes, const char *text);
/* Writes the same, whole. */
void mux_put_printable(const char *text, FILE *to);

/* Values of single options, for commands without a table (common/option_table.h). A bad one, or one
 * outside [min, max], ends the program with exit 2 and one line that names the option ("--rate").
 */
int64_t mux_option_count(const char *option, const char *text, int64_t min, int64_t max);
int64_t mux_option_size(const char *option, const char *text, int64_t min, int64_t max);
int64_t mux_option_time(const char *option, const char *text, int64_t min_ns, int64_t max_ns);

/* A result file that `option` asked for: mux_output_open and mux_output_commit, with a message that
 * names the option and the path. They return what those return. Open it before the work begins. */
int mux_result_open(struct mux_output *out, const char *option, const char *path);
int mux_result_commit(struct mux_output *out, const char *option, const char *path);
/* Flushes stdout. If anything could not be written there, says so, once. Returns 0 or -errno. */
int mux_stdout_flush(void);

/* argp_parse for the subcommand argv[0]: usage "muxbench NAME", errors exit 2 with one line, no
 * positional arguments unless the parser takes them (cli_args.c). */
void mux_parse_args(const struct argp *argp, int argc, char **argv, void *input);

#endif
