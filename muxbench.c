/* muxbench.c: one program with several commands: its table of contents. */
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
    {"agent", cmd_agent, "be one of several loads on several hosts (load --agents)"},
    {"merge", cmd_merge, "put together the results of a load in parts"},
    {"check", cmd_check, "check whether an echo server is correct, and if not, why"},
    {"load", cmd_load, "generate load, verify every echo, measure latency"},
    {"run", cmd_run, "run an experiment: servers side by side, a table and a run directory"},
    {"versus", cmd_versus, "compare servers: A B [C...], no file needed"},
    {"compare", cmd_compare, "compare two runs, cell by cell"},
    {"doctor", cmd_doctor, "find out whether this machine is fit to measure"},
    {"floor", cmd_floor, "measure the CPU time of a bare recv and send on this host"},
    {"report", cmd_report, "show or compare runs: a page with charts, or text"},
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

/* The next file or socket that is opened would get the number of a standard descriptor that is
 * closed, and then messages would go there. */
static void fill_descriptors(void) {
  int fd;
  do
    fd = open("/dev/null", O_RDWR);
  while (fd >= 0 && fd <= STDERR_FILENO);
  close(fd);
}

/* Runs at every exit, also from argp's --help: it is a failure if stdout could not be written. */
static void close_stdout(int status, void *unused) {
  (void)unused;
  if (mux_stdout_flush() != 0 && status == MUX_EXIT_OK)
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
