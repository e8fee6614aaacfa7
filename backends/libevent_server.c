/* libevent_server.c: see libevent_server.h.
 *
 * The base is set up for this use: no locks, no cached time, and no environment, which could choose
 * another mechanism for any program that uses libevent (EVENT_NOEPOLL and similar). */
#if __has_include(<event2/event.h>)

#include "backends/libevent_server.h"

const char *const libevent_methods[] = {
    [LIBEVENT_EPOLL] = "epoll", [LIBEVENT_POLL] = "poll", [LIBEVENT_SELECT] = "select", NULL};

static void on_listener(evutil_socket_t fd, short what, void *argument) {
  (void)fd;
  (void)what;
  mux_library_on_listener(argument);
}

static void on_stop(evutil_socket_t fd, short what, void *argument) {
  struct libevent_server *server = argument;
  (void)fd;
  (void)what;
  event_del(&server->stop);
  mux_library_on_stop(&server->library);
}

static void on_timer(evutil_socket_t fd, short what, void *argument) {
  (void)fd;
  (void)what;
  mux_library_on_timer(argument);
}

void libevent_listen(struct mux_library *library, bool on) {
  struct libevent_server *server = (struct libevent_server *)library;
  if (on)
    event_add(&server->listener, NULL);
  else
    event_del(&server->listener);
}

void libevent_set_timer(struct mux_library *library, int64_t ns) {
  struct libevent_server *server = (struct libevent_server *)library;
  int64_t us = ns / 1000;
  struct timeval time = {.tv_sec = us / 1000000, .tv_usec = us % 1000000};
  event_add(&server->timer, &time);
}

static struct event_base *open_base(int method) {
  struct event_config *config = event_config_new();
  if (config == NULL)
    return NULL;
  event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV | EVENT_BASE_FLAG_NOLOCK |
                                    EVENT_BASE_FLAG_NO_CACHE_TIME);
  for (int i = 0; libevent_methods[i] != NULL; i++)
    if (i != method)
      event_config_avoid_method(config, libevent_methods[i]);
  struct event_base *base = event_base_new_with_config(config);
  event_config_free(config);
  return base;
}

int libevent_open(struct libevent_server *server, struct mux_worker *worker,
                  const struct mux_library_calls *calls, int method) {
  server->library = (struct mux_library){.worker = worker, .calls = calls};
  server->base = open_base(method);
  if (server->base == NULL)
    return -ENOMEM;
  event_assign(&server->listener, server->base, worker->listen_fd, EV_READ | EV_PERSIST,
               on_listener, server);
  event_assign(&server->stop, server->base, worker->stop_fd, EV_READ | EV_PERSIST, on_stop, server);
  evtimer_assign(&server->timer, server->base, on_timer, server);
  bool added = event_add(&server->listener, NULL) == 0 && event_add(&server->stop, NULL) == 0;
  return added ? 0 : -ENOMEM;
}

int libevent_serve(struct libevent_server *server) {
  while (mux_library_runs(&server->library)) {
    if (event_base_loop(server->base, EVLOOP_ONCE) < 0)
      return -EIO;
    mux_library_count(&server->library);
  }
  return server->library.error;
}

void libevent_close(struct libevent_server *server) {
  if (server->base == NULL)
    return;
  event_del(&server->listener);
  event_del(&server->stop);
  event_del(&server->timer);
  event_base_free(server->base);
}

#endif
