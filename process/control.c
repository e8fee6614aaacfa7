/* control.c: see control.h. */
#include "process/control.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int mux_lines_next(struct mux_lines *lines, int fd, char *line, size_t line_bytes) {
  char *end = memchr(lines->text, '\n', lines->used);
  struct pollfd ready = {.fd = fd, .events = POLLIN};
  if (end == NULL && poll(&ready, 1, 0) > 0) {
    ssize_t n = read(fd, lines->text + lines->used, sizeof lines->text - lines->used);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
      return 0;
    if (n <= 0)
      return -EPIPE;
    lines->used += (size_t)n;
    end = memchr(lines->text, '\n', lines->used);
  }
  if (end == NULL)
    return lines->used == sizeof lines->text ? -EPROTO : 0;
  size_t length = (size_t)(end + 1 - lines->text);
  snprintf(line, line_bytes, "%.*s", (int)length - 1, lines->text);
  memmove(lines->text, end + 1, lines->used - length);
  lines->used -= length;
  return 1;
}

ssize_t mux_lines_raw(struct mux_lines *lines, int fd, char *to, size_t bytes) {
  if (lines->used > 0) {
    size_t n = bytes < lines->used ? bytes : lines->used;
    memcpy(to, lines->text, n);
    memmove(lines->text, lines->text + n, lines->used - n);
    lines->used -= n;
    return (ssize_t)n;
  }
  struct pollfd ready = {.fd = fd, .events = POLLIN};
  if (poll(&ready, 1, 0) <= 0)
    return 0;
  ssize_t n = read(fd, to, bytes);
  if (n < 0 && (errno == EINTR || errno == EAGAIN))
    return 0;
  return n > 0 ? n : -EPIPE;
}

int mux_control_say(int fd, const char *format, ...) {
  char line[1024];
  va_list args;
  va_start(args, format);
  int n = vsnprintf(line, sizeof line - 1, format, args);
  va_end(args);
  if (n < 0 || (size_t)n >= sizeof line - 1)
    return -EPROTO;
  line[n] = '\n';
  return write(fd, line, (size_t)n + 1) == n + 1 ? 0 : -EPIPE;
}

/* One line: short enough for a pipe to take it whole (PIPE_BUF). */
static int say_object(int fd, json_t *object) {
  char *text = json_dumps(object, JSON_COMPACT);
  int rc = text != NULL ? mux_control_say(fd, "slice %s", text) : -ENOMEM;
  free(text);
  json_decref(object);
  return rc;
}

int mux_order_send(int fd, const struct mux_order *order) {
  return say_object(
      fd, json_pack("{s:I, s:I, s:I, s:I, s:I, s:b}", "start_ns", (json_int_t)order->start_ns,
                    "warmup_ns", (json_int_t)order->warmup_ns, "duration_ns",
                    (json_int_t)order->duration_ns, "spin_ns", (json_int_t)order->spin_ns,
                    "rate_per_s", (json_int_t)order->rate_per_s, "record", order->record));
}

/* The fields of an answer, all of them int64_t. */
static const struct {
  const char *key;
  size_t offset;
} fields[] = {
#define FIELD(name)                                                                                \
  { #name, offsetof(struct mux_answer, name) }
    FIELD(start_ns),   FIELD(duration_ns), FIELD(completed), FIELD(all),
    FIELD(server_ns),  FIELD(client_ns),   FIELD(spin_ns),   FIELD(errors),
    FIELD(unanswered), FIELD(messages),    FIELD(late),      FIELD(late_in_service),
#undef FIELD
};

int mux_answer_send(int fd, const struct mux_answer *a) {
  json_t *object = json_object();
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    int64_t value;
    memcpy(&value, (const char *)a + fields[i].offset, sizeof value);
    json_object_set_new(object, fields[i].key, json_integer((json_int_t)value));
  }
  return say_object(fd, object);
}

static json_t *parse(const char *line) {
  static const char word[] = "slice ";
  return strncmp(line, word, sizeof word - 1) == 0
             ? json_loads(line + sizeof word - 1, JSON_REJECT_DUPLICATES, NULL)
             : NULL;
}

int mux_order_parse(const char *line, struct mux_order *order) {
  json_int_t start;
  json_int_t warmup;
  json_int_t duration;
  json_int_t spin;
  json_int_t rate;
  int record;
  json_t *object = parse(line);
  int rc = json_unpack(object, "{s:I, s:I, s:I, s:I, s:I, s:b}", "start_ns", &start, "warmup_ns",
                       &warmup, "duration_ns", &duration, "spin_ns", &spin, "rate_per_s", &rate,
                       "record", &record);
  json_decref(object);
  if (rc != 0 || start < 0 || warmup < 0 || duration <= 0 || spin < 0 || rate < 0)
    return -EPROTO;
  *order = (struct mux_order){.start_ns = start,
                              .warmup_ns = warmup,
                              .duration_ns = duration,
                              .spin_ns = spin,
                              .rate_per_s = rate,
                              .record = record != 0};
  return 0;
}

/* So that those of 10,000 agents can be added. */
#define MOST INT64_C(900000000000000)

int mux_answer_parse(const char *line, struct mux_answer *a) {
  json_t *object = parse(line);
  bool sound = object != NULL;
  for (size_t i = 0; i < sizeof fields / sizeof *fields && sound; i++) {
    const json_t *field = json_object_get(object, fields[i].key);
    int64_t value = json_integer_value(field);
    int64_t most = fields[i].offset == offsetof(struct mux_answer, start_ns) ? INT64_MAX / 4 : MOST;
    /* The CPU time of a server that has died goes back. */
    sound = json_is_integer(field) && value >= -MOST && value <= most;
    memcpy((char *)a + fields[i].offset, &value, sizeof value);
  }
  json_decref(object);
  return sound && a->duration_ns >= 0 && a->completed >= 0 ? 0 : -EPROTO;
}
