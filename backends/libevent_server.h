/* libevent_server.h: what both libevent backends are built on: an event base that waits with the
 * given mechanism and no other, and the events for the listener, the stop and the timer. */
#ifndef MUX_LIBEVENT_SERVER_H
#define MUX_LIBEVENT_SERVER_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "backends/library.h"

struct libevent_server {
  struct mux_library library;
  struct event_base *base;
  struct event listener, stop, timer;
};

/* The mechanisms, NULL-terminated: a backend may offer them as its options. */
enum { LIBEVENT_EPOLL, LIBEVENT_POLL, LIBEVENT_SELECT };
extern const char *const libevent_methods[];

/* For the backend's mux_library_calls. */
void libevent_listen(struct mux_library *library, bool on);
void libevent_set_timer(struct mux_library *library, int64_t ns);

/* Returns 0 or -errno. To be closed in either case. */
int libevent_open(struct libevent_server *server, struct mux_worker *worker,
                  const struct mux_library_calls *calls, int method);
/* Serves until the stop, and then until the last connection has ended or the deadline has passed.
 * Returns 0 or -errno. */
int libevent_serve(struct libevent_server *server);
void libevent_close(struct libevent_server *server);

#endif
