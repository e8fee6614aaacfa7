/* run_tests.c: runs test programs, counts their cases and prints the summary.
 *
 *     run_tests [-t SECONDS] [-j LANES] COMMAND...
 *
 * -t: how many seconds a command may take (120). -j: how many commands run at once (1). Both apply
 * to the commands after them, which wait for all before, so that a command that measures can have
 * the machine to itself: -j 2 A B -j 1 C.
 *
 * A COMMAND is run by sh. One that prints TAP (as every cmocka program does, because of
 * CMOCKA_MESSAGE_OUTPUT) counts for as many cases as it reports; any other counts for one, by its
 * exit status (0 passed, 77 skipped). A program that crashes, outruns its time, exits non-zero
 * without a failed case, runs fewer or more cases than it planned, or leaves a process behind,
 * fails one case more. The last line is the sum: "N passed, N failed, N skipped". Exit 0 only if
 * nothing failed.
 *
 * Each command runs in a lane, a process of the driver's own that is a subreaper (prctl(2)):
 * whatever a program leaves running becomes the lane's child and cannot hide in another process
 * group. The output of a lane is printed in one piece when it ends. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"

enum { EXIT_SKIPPED = 77, GRACE_S = 3, OUTPUT_LINES_MAX = 400, LANES_MAX = 16 };

struct tally {
  long passed;
  long failed;
  long skipped;
};

struct program {
  const char *command;
  FILE *output;
  int status;     /* as waitpid gives it; -1: killed at the end of its time */
  bool leftovers; /* processes outlived it */
  struct tally tally;
  long planned; /* cases; -1: it gave no plan */
};

/* Ends the driver if something could not be made. */
static void *or_exit(void *made) {
  if (made == NULL || made == MAP_FAILED) {
    perror("run_tests");
    exit(1);
  }
  return made;
}

/* A temporary file that no program inherits. */
static FILE *temporary(void) {
  FILE *file = or_exit(tmpfile());
  fcntl(fileno(file), F_SETFD, FD_CLOEXEC);
  return file;
}

static sigset_t watched; /* blocked for good, taken by sigtimedwait */

/* The next child that has ended; -1 if there are no children, 0 after deadline_ns, -2 after SIGINT
 * or SIGTERM. */
static pid_t wait_child(int64_t deadline_ns, int *status) {
  for (;;) {
    pid_t pid = waitpid(-1, status, WNOHANG);
    if (pid != 0)
      return pid;
    int64_t left = deadline_ns - mux_now_ns();
    if (left <= 0)
      return 0;
    struct timespec ts = mux_ns_timespec(left);
    int signal = sigtimedwait(&watched, NULL, &ts);
    if (signal == SIGINT || signal == SIGTERM)
      return -2;
  }
}

/* Kills every direct child once. Their children become ours, for the next round. */
static void kill_children(bool name_them) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
  FILE *children = fopen(path, "re");
  if (children == NULL)
    return;
  int pid;
  while (fscanf(children, "%d", &pid) == 1) {
    char name[64] = "?";
    snprintf(path, sizeof path, "/proc/%d/comm", pid);
    FILE *comm = name_them ? fopen(path, "re") : NULL;
    if (comm != NULL) {
      if (fscanf(comm, "%63s", name) == 1)
        printf("# left behind: process %d (%s)\n", pid, name);
      fclose(comm);
    }
    kill(pid, SIGKILL);
  }
  fclose(children);
}

/* Ends all that is left of a program. */
static void reap_all(void) {
  int status;
  for (int round = 0; round < 1000; round++) {
    kill_children(false);
    if (wait_child(mux_now_ns() + 10 * MUX_MS, &status) == -1)
      return;
  }
  fprintf(stderr, "run_tests: processes that do not die\n");
  exit(1);
}

static void child_exec(const struct program *program) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  sigprocmask(SIG_UNBLOCK, &watched, NULL);
  int null = open("/dev/null", O_RDONLY);
  dup2(null, STDIN_FILENO);
  dup2(fileno(program->output), STDOUT_FILENO);
  dup2(fileno(program->output), STDERR_FILENO);
  setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 1);
  char *line = NULL;
  if (asprintf(&line, "exec %s", program->command) > 0)
    execl("/bin/sh", "sh", "-c", line, (char *)NULL);
  _exit(127);
}

static void run(struct program *program, int64_t timeout_ns) {
  program->output = temporary();
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0)
    child_exec(program);
  if (pid < 0)
    or_exit(NULL);
  int64_t deadline = mux_now_ns() + timeout_ns;
  pid_t ended;
  while ((ended = wait_child(deadline, &program->status)) > 0 && ended != pid)
    ;
  if (ended <= 0)
    program->status = -1;
  /* A supervisor whose lifeline has closed needs a moment to end its servers. */
  int ignored;
  int64_t grace = ended > 0 ? mux_now_ns() + GRACE_S * MUX_S : 0;
  while (ended > 0)
    ended = wait_child(grace, &ignored);
  if (ended == 0 && program->status != -1) {
    program->leftovers = true;
    kill_children(true);
  }
  reap_all();
  if (ended == -2)
    exit(130);
}

static void count_line(struct program *program, const char *line) {
  bool ok = strncmp(line, "ok ", 3) == 0;
  long plan;
  if (sscanf(line, "1..%ld", &plan) == 1)
    program->planned = plan + (program->planned > 0 ? program->planned : 0);
  else if (!ok && strncmp(line, "not ok ", 7) != 0)
    return;
  else if (strstr(line, "# SKIP") != NULL)
    program->tally.skipped++;
  else if (ok)
    program->tally.passed++;
  else
    program->tally.failed++;
}

/* Counts the cases in the output, then judges the program as a whole. Returns what is wrong with it
 * apart from failed cases, or NULL. */
static const char *judge(struct program *program) {
  struct tally *tally = &program->tally;
  char *line = NULL;
  size_t room = 0;
  rewind(program->output);
  while (getline(&line, &room, program->output) > 0)
    count_line(program, line);
  free(line);
  long cases = tally->passed + tally->failed + tally->skipped;
  bool clean = program->status == 0;
  const char *wrong = NULL;
  if (program->status == -1)
    wrong = "out of time";
  else if (program->leftovers)
    wrong = "left processes behind";
  else if (WIFSIGNALED(program->status))
    wrong = strsignal(WTERMSIG(program->status));
  else if (program->planned > cases)
    wrong = "cases of its plan are missing";
  else if (program->planned >= 0 && program->planned < cases)
    wrong = "more cases than planned";
  else if (cases == 0 && WEXITSTATUS(program->status) == EXIT_SKIPPED)
    tally->skipped++;
  else if (!clean && tally->failed == 0)
    wrong = "exit status is not 0";
  else if (cases == 0 && program->planned == 0)
    tally->skipped++;
  else if (cases == 0)
    tally->passed++;
  if (wrong != NULL)
    tally->failed++;
  return wrong;
}

static void print_output(FILE *output) {
  char *line = NULL;
  size_t room = 0;
  int lines = 0;
  rewind(output);
  while (getline(&line, &room, output) > 0)
    if (strncmp(line, "ok ", 3) != 0 && ++lines <= OUTPUT_LINES_MAX)
      printf("    %s%s", line, strchr(line, '\n') != NULL ? "" : "\n");
  if (lines > OUTPUT_LINES_MAX)
    printf("    (%d lines more)\n", lines - OUTPUT_LINES_MAX);
  free(line);
}

/* Every skipped case with its reason: one that did not run is shown, not only counted. A program
 * that was skipped as a whole has given its reason in its own words. */
static void print_skips(FILE *output, bool whole) {
  char *line = NULL;
  size_t room = 0;
  rewind(output);
  while (getline(&line, &room, output) > 0)
    if (whole || strstr(line, "# SKIP") != NULL)
      printf("    skip: %s%s", line, strchr(line, '\n') != NULL ? "" : "\n");
  free(line);
}

/* In the lane: runs a command, prints the outcome and leaves the count in *tally. */
static void run_and_report(const char *command, int64_t timeout_ns, struct tally *tally) {
  struct program program = {.command = command, .planned = -1};
  int64_t start = mux_now_ns();
  run(&program, timeout_ns);
  const char *wrong = judge(&program);
  *tally = program.tally;
  printf("%-4s %-52s %4ld passed, %ld failed, %ld skipped  %.1f s%s%s\n",
         tally->failed > 0 ? "FAIL" : "ok", command, tally->passed, tally->failed, tally->skipped,
         (double)(mux_now_ns() - start) / 1e9, wrong != NULL ? ": " : "",
         wrong != NULL ? wrong : "");
  if (tally->failed > 0)
    print_output(program.output);
  if (tally->skipped > 0)
    print_skips(program.output, tally->passed + tally->failed == 0 && program.planned <= 0);
  fclose(program.output);
}

/* ---- Lanes ----------------------------------------------------------------------------------- */

struct lane {
  pid_t pid; /* 0: free */
  FILE *says;
  struct tally *tally; /* shared with the lane */
};

static struct lane lanes[LANES_MAX];
static struct tally total;

static void start(struct lane *lane, const char *command, int64_t timeout_ns) {
  lane->says = temporary();
  *lane->tally = (struct tally){.failed = 1}; /* if the lane dies */
  fflush(stdout);
  pid_t driver = getpid();
  lane->pid = fork();
  if (lane->pid < 0)
    or_exit(NULL);
  if (lane->pid > 0)
    return;
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != driver)
    _exit(1);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  dup2(fileno(lane->says), STDOUT_FILENO);
  run_and_report(command, timeout_ns, lane->tally);
  exit(0);
}

static void finish(struct lane *lane, int status) {
  char buffer[4096];
  size_t n;
  rewind(lane->says);
  while ((n = fread(buffer, 1, sizeof buffer, lane->says)) > 0)
    fwrite(buffer, 1, n, stdout);
  fflush(stdout);
  fclose(lane->says);
  if (status != 0)
    fprintf(stderr, "run_tests: a lane has ended with status %#x\n", (unsigned)status);
  total.passed += lane->tally->passed;
  total.failed += lane->tally->failed;
  total.skipped += lane->tally->skipped;
  lane->pid = 0;
}

/* Each lane ends its own programs. */
static void interrupt(void) {
  for (int i = 0; i < LANES_MAX; i++)
    if (lanes[i].pid > 0)
      kill(lanes[i].pid, SIGTERM);
  while (wait(NULL) > 0)
    ;
  exit(130);
}

/* Waits until fewer than `most` lanes are busy. Returns a free one. */
static struct lane *await_lane(int most) {
  for (;;) {
    int busy = 0;
    struct lane *idle = NULL;
    for (int i = 0; i < LANES_MAX; i++) {
      busy += lanes[i].pid != 0;
      if (lanes[i].pid == 0)
        idle = &lanes[i];
    }
    if (busy < most)
      return idle;
    int status;
    pid_t pid = wait_child(INT64_MAX, &status);
    if (pid < 0)
      interrupt();
    for (int i = 0; i < LANES_MAX; i++)
      if (lanes[i].pid == pid)
        finish(&lanes[i], status);
  }
}

static void watch_signals(void) {
  sigemptyset(&watched);
  sigaddset(&watched, SIGCHLD);
  sigaddset(&watched, SIGINT);
  sigaddset(&watched, SIGTERM);
  sigprocmask(SIG_BLOCK, &watched, NULL);
}

int main(int argc, char **argv) {
  long timeout_s = 120;
  int jobs = 1;
  int commands = 0;
  int option;
  struct tally *tallies = or_exit(mmap(NULL, sizeof *tallies * LANES_MAX, PROT_READ | PROT_WRITE,
                                       MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  for (int i = 0; i < LANES_MAX; i++)
    lanes[i].tally = &tallies[i];
  watch_signals();
  /* "-": options come between commands, which are values of option 1 (getopt(3)). */
  while ((option = getopt(argc, argv, "-t:j:")) != -1) {
    if (option == 1) {
      start(await_lane(jobs), optarg, timeout_s * MUX_S);
      commands++;
      continue;
    }
    await_lane(1);
    if (option == 't' && (timeout_s = atol(optarg)) > 0)
      continue;
    if (option != 'j' || (jobs = atoi(optarg)) < 1 || jobs > LANES_MAX)
      return 2;
  }
  if (commands == 0) {
    fprintf(stderr, "run_tests: no command was given\n");
    return 2;
  }
  await_lane(1);
  printf("\n%ld passed, %ld failed, %ld skipped\n", total.passed, total.failed, total.skipped);
  return total.failed > 0 || total.passed == 0;
}
