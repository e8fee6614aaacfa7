/* rows.h: the rows of measurements.csv, one per trial.
 *
 * A row is text, a field per column; NULL is "not measured" and becomes an empty field, never 0.
 * The columns and their order are the contract's; new ones are only ever appended. */
#ifndef MUX_ROWS_H
#define MUX_ROWS_H

#include <stdbool.h>
#include <stddef.h>

// clang-format off
#define MUX_COLUMNS(X)                                                                             \
  X(schema_version) X(run_id) X(experiment) X(cell_id) X(block) X(trial) X(backend) X(label)       \
  X(params) X(transport) X(workers) X(threads) X(mode) X(loop) X(arrival) X(connections)           \
  X(idle_connections) X(payload_bytes) X(depth) X(offered_per_s) X(duration_s) X(established)      \
  X(sent) X(completed) X(completed_per_s) X(bytes_per_s) X(in_flight_end) X(errors_connect)        \
  X(errors_reset) X(errors_timeout) X(errors_mismatch) X(errors_closed) X(response_p50_us)         \
  X(response_p90_us) X(response_p95_us) X(response_p99_us) X(response_p999_us)                     \
  X(response_max_us) X(service_p50_us) X(service_p99_us) X(service_p999_us) X(slip_p99_us)         \
  X(connect_p50_us) X(connect_p99_us) X(connect_max_us) X(server_user_us_per_req)                  \
  X(server_system_us_per_req) X(server_cpu_us_per_req) X(server_cores_used)                        \
  X(client_cpu_us_per_req) X(client_cores_used) X(syscalls_per_req) X(context_switches_per_req)    \
  X(events_per_wait) X(rss_bytes_per_conn) X(kernel_bytes_per_conn) X(fairness_jain)               \
  X(never_served) X(floor_us) X(floor_ratio) X(tcp_retransmits) X(listen_overflows) X(steal_pct)   \
  X(status) X(flags) X(cpu_pressure_pct) X(connections_per_worker) X(worker_balance_jain)          \
  X(task_bytes_per_conn) X(datagrams_lost) X(datagrams_reordered) X(datagrams_duplicated)          \
  X(datagrams_late) X(host_cpu_us_per_req) X(held) X(slices) X(rounds) X(others_cores_used)       \
  X(capacity_per_s) X(work_us_per_req) X(idle_held) X(connecting_s) X(closing_s)            \
  X(client_rss_bytes_per_conn)
// clang-format on

enum column {
#define MUX_COLUMN_ID(name) COL_##name,
  MUX_COLUMNS(MUX_COLUMN_ID)
#undef MUX_COLUMN_ID
      COLUMN_COUNT
};
extern const char *const column_names[COLUMN_COUNT];

enum { MUX_SCHEMA_VERSION = 1 };

struct row {
  char *field[COLUMN_COUNT]; /* owned; NULL: empty */
};

void row_set(struct row *row, enum column column, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* With up to 9 significant digits; NAN leaves the field empty. */
void row_set_number(struct row *row, enum column column, double value);
const char *row_text(const struct row *row, enum column column); /* "" when empty */
double row_number(const struct row *row, enum column column);    /* NAN when empty */
/* Appends to the ;-separated flags, once. */
void row_flag(struct row *row, const char *flag);
void row_unflag(struct row *row, const char *flag);
bool row_has_flag(const struct row *row, const char *flag);
/* It was measured: its status is ok or invalid. */
bool row_has_result(const struct row *row);
void row_clear(struct row *row);

struct rows {
  struct row *rows;
  size_t count;
};
/* Moves row to the end of rows; *row is empty afterwards. */
void rows_add(struct rows *rows, struct row *row);
/* Drops the rows from `count` on. */
void rows_cut(struct rows *rows, size_t count);
void rows_free(struct rows *rows);

/* Writes measurements.csv under a temporary name, then in place. Returns 0 or -errno. */
int rows_write(const struct rows *rows, const char *path);
/* Adds the rows from `first` on to the file, which is begun if it is not there; all or none of
 * them. Returns 0 or -errno. */
int rows_append(const struct rows *rows, size_t first, const char *path);
/* Reads one, not trusting it; a last line that is cut short was never finished. Unknown columns are
 * left out, the contract's must be there. Returns 0 or -errno with the reason, path and line in
 * why. */
int rows_read(struct rows *rows, const char *path, char *why, size_t why_bytes);

#endif
