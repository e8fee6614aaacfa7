/* library.c: see library.h. */
#include "backends/library.h"

#include <sys/socket.h>

/* Connections accepted before the others get a turn; and by a server that stops. */
enum { BATCH = 256, LAST_BATCH = 1 << 16 };

void mux_library_added(struct mux_library *library, struct mux_library_connection *connection) {
  connection->library = library;
  LIST_INSERT_HEAD(&library->connections, connection, link);
}

static void resume(struct mux_library *library) {
  library->paused = false;
  library->calls->listen(library, true);
}

void mux_library_ended(struct mux_library_connection *connection) {
  struct mux_library *library = connection->library;
  LIST_REMOVE(connection, link);
  if (library->paused && !library->draining)
    resume(library); /* there is room for another one */
}

void mux_library_end_all(struct mux_library *library, int error) {
  while (!LIST_EMPTY(&library->connections))
    library->calls->end(LIST_FIRST(&library->connections), error);
}

/* Connections that a batch leaves waiting are reported again: the libraries are level-triggered. */
static void accept_batch(struct mux_library *library) {
  struct mux_worker *worker = library->worker;
  int left = library->draining ? LAST_BATCH : BATCH;
  int fd = 0;
  for (; fd >= 0 && left > 0; left--) {
    fd = worker->host->accept(worker, SOCK_NONBLOCK);
    if (fd >= 0)
      library->calls->add(library, fd);
  }
  if (fd == -EMFILE && !library->draining) {
    library->paused = true;
    library->calls->listen(library, false);
    library->calls->set_timer(library, MUX_ACCEPT_PAUSE_NS);
  } else if (fd < 0 && fd != -EAGAIN && fd != -EBUSY && fd != -EMFILE) {
    library->error = fd;
  }
}

void mux_library_on_listener(struct mux_library *library) {
  library->events++;
  accept_batch(library);
}

void mux_library_on_timer(struct mux_library *library) {
  if (library->draining)
    library->expired = true;
  else if (library->paused)
    resume(library);
}

void mux_library_on_stop(struct mux_library *library) {
  library->events++;
  library->draining = true;
  accept_batch(library); /* connections from before the signal */
  if (!library->paused)
    library->calls->listen(library, false);
  library->calls->set_timer(library, library->worker->drain_ns);
  struct mux_library_connection *next;
  for (struct mux_library_connection *each = LIST_FIRST(&library->connections); each != NULL;
       each = next) {
    next = LIST_NEXT(each, link);
    library->calls->drain(each); /* which may end it */
  }
}
