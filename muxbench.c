/* muxbench.c: one binary, one command each. Table of contents of the program. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static void print_version(void) {
  const struct mux_build_info *info = &mux_build_info;
  printf("muxbench %s (git %s)\ncompiler %s\nflags %s\n", info->version, info->git, info->compiler,
         info->flags);
}

/* A standard descriptor that is closed would go to the next file or socket that is opened, and what
 * is meant for people into that. */
static void fill_descriptors(void) {
  int fd;
  do
    fd = open("/dev/null", O_RDWR);
  while (fd >= 0 && fd <= STDERR_FILENO);
  close(fd);
}

/* However the program ends (argp's --help calls exit), what stdout did not take is a failure. */
static void close_stdout(int status, void *unused) {
  (void)unused;
  bool failed = ferror(stdout) != 0;
  errno = 0;
  if (fflush(stdout) == 0 && !failed)
    return;
  mux_note("cannot write to standard output%s%s", errno != 0 ? ": " : "",
           errno != 0 ? strerror(errno) : "");
  if (status == MUX_EXIT_OK)
    _exit(MUX_EXIT_FAILED);
}

int main(int argc, char **argv) {
  fill_descriptors();
  on_exit(close_stdout, NULL);
  if (argc < 2) {
    print_usage(stderr);
    return MUX_EXIT_USAGE;
  }
  const char *name = argv[1];
  if (strcmp(name, "--help") == 0 || strcmp(name, "help") == 0) {
    print_usage(stdout);
    return MUX_EXIT_OK;
  }
  if (strcmp(name, "--version") == 0) {
    print_version();
    return MUX_EXIT_OK;
  }
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
    if (strcmp(name, commands[i].name) == 0)
      return commands[i].run(argc - 1, argv + 1);
  mux_die(MUX_EXIT_USAGE, "unknown command '%s'; 'muxbench --help' lists them", name);
}
