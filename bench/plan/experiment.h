/* experiment.h: a question put as a file.
 *
 *   question  = "Which way of waiting costs least at 10,000 connections?";
 *   objective = "server_cpu_us_per_req";        # the column the answer is about
 *   baseline  = "epoll-lt";                     # what the others are compared with
 *   answer    = "best";                         # or slope, capacity, contrast (conclusions.h)
 *   columns   = [ "rss_bytes_per_conn" ];       # further columns for the printed tables
 *   blocks    = 10;                             # launches
 *   servers   = "available";                    # or a list: names, groups (below)
 *   load      = { connections = [ 1, 100 ]; payload = 64; duration = "2s"; };
 *   serve     = { workers = 1; };
 *
 * `load` and `serve` take the options of those commands, each one value or a list; the lists span
 * the matrix. A server is a name or a group { name; backend | command | target; options of serve }.
 * Quantities are strings with units or plain whole numbers. Unknown keys are refused; every error
 * names file and line (or the --set to blame).
 *
 * The way of the data: file → JSON (experiment_file.c, which knows the lines) → struct experiment
 * (experiment.c, which knows the meaning) → effective.json, which reads back as the same. */
#ifndef MUX_EXPERIMENT_H
#define MUX_EXPERIMENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "bench/data/rows.h"
#include "common/cpus.h"
#include "common/option_table.h"

enum {
  EXPERIMENT_AXES = 48,
  EXPERIMENT_VALUES = 64, /* of one axis */
  EXPERIMENT_SERVERS = 64,
  EXPERIMENT_LABELS = EXPERIMENT_SERVERS + 2, /* servers and the baseline's controls */
  EXPERIMENT_COLUMNS = 8,
  EXPERIMENT_CELLS = 10000,
};

/* ---- Options of load and serve, from their tables (experiment_options.h) -----------------------
 */

enum option_group { OPTION_LOAD, OPTION_SERVE };

/* One value, canonical: the same quantity has the same text, which load or serve reads. */
struct experiment_value {
  char *text;
  int64_t number; /* count, bytes, ns; rate 0: closed; the value of a word; 0 for other kinds */
};

struct experiment_axis {
  enum option_group group;
  const struct mux_option_row *option;
  struct experiment_value *values;
  int count;
  char *place; /* where it is set, for messages: "quick.cfg:12" */
};

/* ---- The experiment -------------------------------------------------------------------------- */

struct experiment_server {
  char *label;   /* unique in the experiment */
  char *backend; /* own backend or plug-in; for the others the column's text: the label */
  char *command; /* or NULL */
  char *target;  /* or NULL */
  struct experiment_axis own[EXPERIMENT_AXES]; /* its options of serve, one value each */
  int own_count;
  char *place;       /* as of an axis; NULL for one of "available" */
  char *unavailable; /* why this machine cannot run it, or NULL (servers_resolve) */
};

/* What the conclusions answer. */
enum experiment_answer { ANSWER_BEST, ANSWER_SLOPE, ANSWER_CAPACITY, ANSWER_CONTRAST };

/* How labels are compared: in slices, while all are alive, or each alone against a fresh server. */
enum experiment_method { METHOD_SLICES, METHOD_FRESH };

struct experiment {
  char *name;
  char *question;
  char *objective;
  enum experiment_answer answer;
  char *along;    /* for ANSWER_SLOPE and _CONTRAST: the axis; "" otherwise */
  char *baseline; /* "": none */
  char *agents;   /* command prefixes, with commas (load --agents); NULL: the load is here */
  enum column columns[EXPERIMENT_COLUMNS]; /* in the tables, beside the usual ones */
  int column_count;
  enum experiment_method method;
  int blocks;              /* launches, at most */
  int rounds;              /* of slices in a launch; 0: as many as are best */
  int64_t slice_ns;        /* the measured part of a slice; 0: chosen */
  double precision;        /* half-width asked of every interval, 0.02 for 2 %; 0: none is asked */
  double margin;           /* what lies within 1 ± this is equivalent */
  bool twin;               /* the baseline runs twice, A/A */
  double calibration;      /* ... and once more, made this much dearer, 0.1 for 10 %; 0: not */
  bool all_available;      /* servers = "available" */
  int64_t budget_ns;       /* of the whole run; 0: none */
  int64_t min_duration_ns; /* a budget shortens trials to this and no further */
  int64_t count_ns;        /* length of the extra phase that counts system calls; 0: none */
  int64_t seed;
  cpu_set_t server_cpus, load_cpus; /* empty: chosen from the machine */
  struct experiment_axis axes[EXPERIMENT_AXES];
  int axis_count;
  struct experiment_server *servers;
  int server_count;
};

/* Where a mistake is, for messages: fills out with "quick.cfg:12", "--set blocks". path is the key,
 * dotted ("load.connections"). */
struct experiment_source {
  void (*locate)(const struct experiment_source *source, const char *path, char *out,
                 size_t out_bytes);
  void *data;
};

/* Reads tree (not trusted). Returns a new experiment or NULL and one line in why. Defaults are
 * filled in. */
struct experiment *experiment_from_json(const json_t *tree, const char *name,
                                        const struct experiment_source *source, char *why,
                                        size_t why_bytes);
/* The same back, with every default; caller decrefs. */
json_t *experiment_to_json(const struct experiment *experiment);
void experiment_free(struct experiment *experiment);
void experiment_server_free(struct experiment_server *server);

/* Reads FILE.cfg and applies n "KEY=VALUE" overrides (values with commas are lists). NULL and why
 * on error. */
struct experiment *experiment_read(const char *path, char *const *sets, int n, char *why,
                                   size_t why_bytes);

/* The axis of that option, or NULL. */
const struct experiment_axis *experiment_axis(const struct experiment *experiment,
                                              enum option_group group, const char *key);
/* The axis that `along` names, or NULL. */
const struct experiment_axis *experiment_along(const struct experiment *experiment);
/* The option of that key, or NULL: an experiment may not set it. */
const struct mux_option_row *experiment_option_find(enum option_group group, const char *key);

#endif
