/* cli.h: what all commands share: exit codes, messages, strict parsing of option values.
 *
 * Data goes to stdout, everything else to stderr. A message is one line, begins with
 * "muxbench: " and names the option or the file and line that is to blame. Text that came from
 * outside is printed with control characters escaped. */
#ifndef MUX_CLI_H
#define MUX_CLI_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum mux_exit {
  MUX_EXIT_OK = 0,
  MUX_EXIT_FAILED = 1,        /* ran, but something failed */
  MUX_EXIT_USAGE = 2,         /* usage or configuration */
  MUX_EXIT_THRESHOLD = 3,     /* a threshold was missed */
  MUX_EXIT_INTERRUPTED = 130, /* partial results kept */
};

/* One line to stderr. */
void mux_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
void mux_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same, then exit(status). Only while a command is being set up. */
_Noreturn void mux_die(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Copies text into out, control and non-ASCII bytes as \xNN, cut to fit. Returns out. */
char *mux_printable(char *out, size_t out_bytes, const char *text);

/* Values of single options, for commands without a table (common/option_table.h). A bad one, or one
 * outside [min, max], ends the program with exit 2 and one line that names the option ("--rate").
 */
int64_t mux_option_count(const char *option, const char *text, int64_t min, int64_t max);
int64_t mux_option_size(const char *option, const char *text, int64_t min, int64_t max);
int64_t mux_option_time(const char *option, const char *text, int64_t min_ns, int64_t max_ns);

/* argp_parse for the subcommand argv[0]: usage "muxbench NAME", errors exit 2, no positional
 * arguments unless the parser takes them. */
void mux_parse_args(const struct argp *argp, int argc, char **argv, void *input);

/* Where --json[=FILE] goes: stdout for NULL or "-". Opened under a temporary name, put in place by
 * mux_output_commit, so that a failed command leaves no half file. A device or pipe is written as
 * it is. Returns 0 or -errno (-EISDIR: before anything has run). */
struct mux_output {
  FILE *stream;
  char *path;      /* NULL: stdout */
  char *temporary; /* NULL: `path` itself is written */
};
int mux_output_open(struct mux_output *out, const char *path);
int mux_output_commit(struct mux_output *out);
void mux_output_abort(struct mux_output *out);

#endif
