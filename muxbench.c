/* muxbench.c: one binary, one command each. Table of contents of the program. */
#include <stdio.h>
#include <string.h>

#include "common/build_info.h"
#include "common/cli.h"
#include "common/command.h"

static const struct command {
  const char *name;
  int (*run)(int argc, char **argv);
  const char *summary;
} commands[] = {
    {"list", cmd_list, "list the backends"},
    {"serve", cmd_serve, "serve echo with one backend"},
    {"check", cmd_check, "judge any echo server: is it correct, and if not, why"},
    /* one line per command */
    {"load", cmd_load, "generate load, verify every echo, measure latency"},
    {"run", cmd_run, "run an experiment: servers in blocks, a table and a run directory"},
    {"compare", cmd_compare, "compare the same cells of two runs"},
    {"doctor", cmd_doctor, "is this machine fit to measure?"},
    {"floor", cmd_floor, "CPU time of a bare recv and send on this host"},
    {"report", cmd_report, "show a run, or compare runs: a page with charts, or text"},
};

static void print_usage(FILE *to) {
  fputs("Usage: muxbench COMMAND [OPTION...]\n"
        "Benchmark I/O multiplexing: one echo protocol, many backends, one load generator.\n\n",
        to);
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
    fprintf(to, "  %-9s %s\n", commands[i].name, commands[i].summary);
  fputs("\n'muxbench COMMAND --help' shows a command's options, defaults, units and an example.\n",
        to);
}

static int print_version(void) {
  const struct mux_build_info *info = &mux_build_info;
  printf("muxbench %s (git %s)\ncompiler %s\nflags %s\n", info->version, info->git, info->compiler,
         info->flags);
  return fflush(stdout) == 0 ? MUX_EXIT_OK : MUX_EXIT_FAILED;
}

int main(int argc, char **argv) {
  if (argc < 2) {
    print_usage(stderr);
    return MUX_EXIT_USAGE;
  }
  const char *name = argv[1];
  if (strcmp(name, "--help") == 0 || strcmp(name, "help") == 0) {
    print_usage(stdout);
    return MUX_EXIT_OK;
  }
  if (strcmp(name, "--version") == 0)
    return print_version();
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
    if (strcmp(name, commands[i].name) == 0)
      return commands[i].run(argc - 1, argv + 1);
  char shown[64];
  mux_die(MUX_EXIT_USAGE, "unknown command '%s'; 'muxbench --help' lists them",
          mux_printable(shown, sizeof shown, name));
}
