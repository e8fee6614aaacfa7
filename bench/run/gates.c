/* gates.c: see gates.h. Each gate is asked in a process of its own. */
#include "bench/run/gates.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/run/trial_server.h"
#include "common/cli.h"
#include "common/memory.h"
#include "common/pidfd.h"

enum { AT_ONCE = 4 };

/* Shared with the process that asks. */
struct answer {
  int rc;
  char why[400];
};

struct job {
  struct gate_state *gate;
  struct plan_trial trial;
  pid_t pid;  /* 0: not running */
  int pid_fd; /* readable when it has ended */
};

/* The jobs of a launch; a server has one, although its controls are labels, too. Returns how many.
 */
static int list_jobs(struct gates *gates, const struct plan *plan, int cell, int block,
                     struct job *jobs) {
  struct plan_trial *trials = mux_new((size_t)plan->label_count, sizeof *trials);
  int n = 0;
  plan_launch(plan, cell, block, trials);
  for (int i = 0; i < plan->label_count; i++) {
    int label = trials[i].label;
    if (plan_original(plan, label) != label || plan->cells[cell].skip[label] != NULL)
      continue;
    struct gate_state *gate = &gates->of[label][trial_transport(plan, &trials[i])];
    if (!gate->asked)
      jobs[n++] = (struct job){.gate = gate, .trial = trials[i], .pid_fd = -1};
  }
  free(trials);
  return n;
}

int gates_missing(struct gates *gates, const struct plan *plan, int cell, int block) {
  struct job jobs[EXPERIMENT_SERVERS];
  return list_jobs(gates, plan, cell, block, jobs);
}

static int start(struct job *job, const struct trial_setting *setting, struct answer *answer) {
  pid_t parent = getpid();
  *answer = (struct answer){.rc = -ECHILD};
  snprintf(answer->why, sizeof answer->why, "the gate itself ended early: please report this");
  fflush(NULL);
  job->pid = fork();
  if (job->pid < 0) {
    job->pid = 0;
    return -errno;
  }
  if (job->pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
      _exit(1);
    answer->rc = trial_gate(setting, &job->trial, answer->why, sizeof answer->why);
    _exit(0);
  }
  job->pid_fd = mux_pidfd_open(job->pid);
  return job->pid_fd >= 0 ? 0 : -errno;
}

static void take(struct job *job, const struct answer *answer) {
  waitpid(job->pid, NULL, 0);
  if (job->pid_fd >= 0)
    close(job->pid_fd);
  job->pid = 0;
  if (answer->rc == -EINTR)
    return;
  job->gate->asked = true;
  job->gate->closed = answer->rc != 0;
  if (job->gate->closed)
    snprintf(job->gate->why, sizeof job->gate->why,
             "not measured, it is no correct echo server: %s", answer->why);
}

/* Waits for one that ends, or for Ctrl-C. Returns its index or -errno. */
static int await_one(const struct job *jobs, int n, int stop_fd) {
  struct pollfd fds[EXPERIMENT_SERVERS + 1];
  for (int i = 0; i < n; i++)
    fds[i] = (struct pollfd){.fd = jobs[i].pid > 0 ? jobs[i].pid_fd : -1, .events = POLLIN};
  fds[n] = (struct pollfd){.fd = stop_fd, .events = POLLIN};
  while (poll(fds, (nfds_t)n + 1, -1) < 0)
    if (errno != EINTR)
      return -errno;
  if (fds[n].revents != 0)
    return -EINTR;
  for (int i = 0; i < n; i++)
    if (fds[i].revents != 0)
      return i;
  return -EAGAIN;
}

static int run_jobs(struct job *jobs, int n, const struct trial_setting *setting,
                    struct answer *answers) {
  int started = 0;
  int running = 0;
  int rc = 0;
  while (rc == 0 && (started < n || running > 0)) {
    if (started < n && running < AT_ONCE) {
      rc = start(&jobs[started], setting, &answers[started]);
      running += jobs[started++].pid > 0;
      continue;
    }
    int ended = await_one(jobs, n, setting->stop_fd);
    if (ended >= 0) {
      take(&jobs[ended], &answers[ended]);
      running--;
      rc = answers[ended].rc == -EINTR ? -EINTR : 0;
    } else if (ended != -EAGAIN) {
      rc = ended;
    }
  }
  for (int i = 0; i < started; i++) /* left by an error or Ctrl-C */
    if (jobs[i].pid > 0) {
      kill(jobs[i].pid, SIGTERM);
      take(&jobs[i], &answers[i]);
    }
  return rc;
}

int gates_ask(struct gates *gates, const struct trial_setting *setting, int cell, int block,
              const char **closed) {
  const struct plan *plan = setting->plan;
  struct job jobs[EXPERIMENT_SERVERS];
  int n = list_jobs(gates, plan, cell, block, jobs);
  size_t bytes = (size_t)n * sizeof(struct answer);
  int rc = 0;
  if (n > 0) {
    struct answer *answers =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    rc = answers != MAP_FAILED ? run_jobs(jobs, n, setting, answers) : -errno;
    if (answers != MAP_FAILED)
      munmap(answers, bytes);
    if (rc != 0 && rc != -EINTR)
      mux_note("cannot ask whether the servers echo: %s", strerror(-rc));
  }
  for (int label = 0; label < plan->label_count; label++) {
    struct plan_trial trial = {.cell = cell, .label = label};
    const struct gate_state *gate =
        &gates->of[plan_original(plan, label)][trial_transport(plan, &trial)];
    closed[label] = gate->closed ? gate->why : NULL;
  }
  return rc;
}
