/* report_build.c: see report.h. Node runs as a supervised process (process/process.h), so that it
 * cannot outlive us. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/results/report.h"
#include "common/cli.h"
#include "common/clock.h"
#include "process/process.h"

enum { SCRIPT_PATH = 4096, NODE_SETUP_MISSING = 4 };
static const int64_t build_timeout_ns = 120 * MUX_S;

/* The paths of this program and of the script, which is in scripts/ in the tree, and in share/ when
 * installed. Returns false if it is in neither. */
static bool find_script(char program[SCRIPT_PATH], char out[SCRIPT_PATH]) {
  static const char *const places[] = {"../scripts/report/report.mjs",
                                       "../share/muxbench/report/report.mjs"};
  ssize_t n = readlink("/proc/self/exe", program, SCRIPT_PATH - 1);
  if (n <= 0)
    return false;
  program[n] = 0;
  int directory = (int)(strrchr(program, '/') - program);
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    if (snprintf(out, SCRIPT_PATH, "%.*s/%s", directory, program, places[i]) < SCRIPT_PATH &&
        access(out, R_OK) == 0)
      return true;
  }
  return false;
}

/* Runs argv to its end. Returns its exit status, 128 + signal, or -errno. */
static int run_node(char *const *argv, int out) {
  struct mux_process process;
  struct mux_process_spec spec = {.argv = argv, .stdout_fd = out, .stderr_fd = STDERR_FILENO};
  int rc = mux_process_start(&process, &spec);
  if (rc != 0)
    return rc;
  mux_process_wait(&process, build_timeout_ns);
  int error = process.exec_error;
  int status = mux_process_end(&process);
  return error != 0 ? -error : status;
}

int report_build(char *const *runs, int count, int out) {
  char script[SCRIPT_PATH];
  char program[SCRIPT_PATH]; /* this one: `muxbench compare` judges a comparison */
  char *argv[] = {"node", script, "--muxbench", program, [REPORT_RUNS_MAX + 4] = NULL};
  assert(count <= REPORT_RUNS_MAX);
  if (!find_script(program, script)) {
    mux_note("no report: scripts/report is missing");
    return MUX_EXIT_FAILED;
  }
  for (int i = 0; i < count; i++)
    argv[4 + i] = runs[i];
  int status = run_node(argv, out);
  switch (status) {
  case MUX_EXIT_OK:
  case MUX_EXIT_FAILED:
  case MUX_EXIT_USAGE:
    return status;
  case NODE_SETUP_MISSING: /* node has said so */
    return MUX_EXIT_FAILED;
  case -ENOENT:
    mux_note("no report: node is not installed; get it with 'make setup', then run 'muxbench "
             "report %s'",
             runs[0]);
    return MUX_EXIT_FAILED;
  case -ETIMEDOUT:
    mux_note("no report: node took longer than %d s", (int)(build_timeout_ns / MUX_S));
    return MUX_EXIT_FAILED;
  default:
    if (status < 0)
      mux_note("no report: node could not be run: %s", strerror(-status));
    else if (status > 128)
      mux_note("no report: node was ended by signal %d", status - 128);
    else
      mux_note("no report: node ended with exit status %d", status);
    return MUX_EXIT_FAILED;
  }
}
