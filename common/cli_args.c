/* cli_args.c: mux_parse_args, see cli.h. argp and getopt_long(3) would print messages of several
 * lines, with what the user typed as it is. So they stay silent, which takes argp's own --help away
 * as well, and both are done here. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cli.h"

enum { KEY_USAGE = -1000 };

struct command_line {
  void *input; /* of the command's parser */
  int error_at;
};

static const struct argp_option help_options[] = {
    {"help", '?', NULL, 0, "Give this help list", -1},
    {"usage", KEY_USAGE, NULL, 0, "Give a short usage message", 0},
    {0}};

static error_t parse_help(int key, char *arg, struct argp_state *state) {
  struct command_line *line = state->input;
  (void)arg;
  switch (key) {
  case ARGP_KEY_INIT:
    state->child_inputs[0] = line->input;
    return 0;
  case '?':
    argp_help(state->root_argp, stdout, ARGP_HELP_STD_HELP, state->name);
    exit(MUX_EXIT_OK);
  case KEY_USAGE:
    argp_help(state->root_argp, stdout, ARGP_HELP_USAGE, state->name);
    exit(MUX_EXIT_OK);
  case ARGP_KEY_ERROR:
    line->error_at = state->next;
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

/* How many options' names begin like that; an exact one is the only one. NULL: no options. */
static int count_options(const struct argp_option *option, const char *name, size_t length) {
  int count = 0;
  for (; option != NULL && (option->name != NULL || option->key != 0 || option->doc != NULL);
       option++) {
    if (option->name == NULL || strncmp(option->name, name, length) != 0)
      continue;
    if (option->name[length] == 0)
      return 1;
    count++;
  }
  return count;
}

/* What getopt_long() does not like about this word. */
static const char *fault_of(const struct argp *argp, const char *word) {
  if (strncmp(word, "--", 2) != 0)
    return "is not an option, or lacks its argument";
  size_t length = strcspn(word + 2, "=");
  int count = count_options(argp->options, word + 2, length) +
              count_options(help_options, word + 2, length);
  return count == 0                ? "is not an option"
         : count > 1               ? "is short for several options"
         : word[2 + length] == '=' ? "takes no argument"
                                   : "requires an argument";
}

void mux_parse_args(const struct argp *argp, int argc, char **argv, void *input) {
  static char name[64];
  const char *command = argv[0];
  const struct argp_child children[] = {{.argp = argp}, {0}};
  const struct argp whole = {.options = help_options, .parser = parse_help, .children = children};
  struct command_line line = {.input = input};
  int end = argc;
  snprintf(name, sizeof name, "muxbench %s", argv[0]);
  argv[0] = name;
  error_t error = argp_parse(&whole, argc, argv, ARGP_NO_ERRS | ARGP_NO_HELP, &end, &line);
  if (error == EINVAL) {
    /* Of several letters in one word getopt_long() moves on after the last. */
    const char *word = argv[line.error_at - 1];
    if (line.error_at == 1 || *word != '-')
      word = argv[line.error_at];
    mux_die(MUX_EXIT_USAGE, "%s: '%.200s' %s; '%s --help' lists the options", command, word,
            fault_of(argp, word), name);
  }
  if (error != 0)
    mux_die(MUX_EXIT_USAGE, "%s: %s", command, strerror(error));
  if (end < argc)
    mux_die(MUX_EXIT_USAGE, "%s: '%.200s' is one argument too many", command, argv[end]);
}
