/* uring_engine.c: accepting, stopping and the loop of uring_engine.h. */
#if __has_include(<liburing.h>)

#include "backends/uring_engine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum {
  SQES_PER_COMPLETION = 4, /* no completion needs more submissions than that */
  ACCEPT_BATCH = 256,      /* accepted by accept4() before the others get a turn */
  LAST_BATCH = 1 << 16,    /* ... by a server that stops */
};

/* ---- Accepting ------------------------------------------------------------------------------ */

/* io_uring answers a request on a non-blocking listener with -EAGAIN instead of waiting. */
static void set_listener_nonblocking(const struct uring_engine *engine, bool on) {
  int fd = engine->worker->listen_fd;
  int flags = fcntl(fd, F_GETFL) & ~O_NONBLOCK;
  fcntl(fd, F_SETFL, flags | (on ? O_NONBLOCK : 0));
}

/* Accepts what waits in the queue without io_uring. Returns 0 after a full batch, or accept()'s
 * -errno. */
static int accept_waiting(struct uring_engine *engine) {
  struct mux_worker *worker = engine->worker;
  for (int left = engine->draining ? LAST_BATCH : ACCEPT_BATCH; left > 0; left--) {
    int fd = worker->host->accept(worker, 0);
    if (fd < 0)
      return fd;
    uring_add_connection(engine, fd, 0);
  }
  return 0;
}

/* Accepts no more for a while, or until a connection ends. */
static void pause_accepting(struct uring_engine *engine) {
  engine->resume_ns = engine->worker->host->now_ns() + MUX_ACCEPT_PAUSE_NS;
}

/* Direct descriptors are accepted one by one: when their table is full the kernel would close the
 * newcomer, instead of leaving it in the queue as it does when there is no fd. */
static void submit_accept(struct uring_engine *engine) {
  int listener = engine->worker->listen_fd;
  if (engine->direct && engine->free_files == 0) {
    MUX_COUNT(engine->worker, paused, 1);
    pause_accepting(engine);
    return;
  }
  engine->resume_ns = 0;
  if (engine->datagrams) {
    uring_receive_datagrams(engine);
    return;
  }
  struct io_uring_sqe *sqe = mux_uring_sqe(&engine->uring);
  if (engine->worker->accept == MUX_ACCEPT_HANDOFF) /* a pipe: wait until it is readable */
    io_uring_prep_poll_add(sqe, listener, POLLIN);
  else if (engine->multishot && !engine->direct)
    io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
  else
    io_uring_prep_accept(sqe, listener, NULL, NULL, engine->direct ? 0 : SOCK_CLOEXEC);
  if (engine->direct)
    sqe->file_index = IORING_FILE_INDEX_ALLOC; /* liburing 2.3's helper does not know it */
  uring_tag(sqe, NULL, OP_ACCEPT);
  engine->accepting = true;
}

/* After a pause. Whether there are descriptors again is tried with accept4(): requests that fail
 * would keep the kernel thread of sqpoll spinning. */
static void resume_accepting(struct uring_engine *engine) {
  if (!engine->direct && !engine->datagrams) {
    set_listener_nonblocking(engine, true);
    int error = accept_waiting(engine);
    set_listener_nonblocking(engine, engine->worker->accept == MUX_ACCEPT_HANDOFF);
    if (error == -EMFILE) { /* accept() has counted it */
      pause_accepting(engine);
      return;
    }
  }
  submit_accept(engine);
}

/* When the server stops, connections that wait in the queue are served like those accepted before.
 * For UDP, the host's accept() echoes what waits. */
static void accept_leftovers(struct uring_engine *engine) {
  set_listener_nonblocking(engine, true);
  accept_waiting(engine);
}

static void on_accept(struct uring_engine *engine, const struct io_uring_cqe *cqe) {
  struct mux_worker *worker = engine->worker;
  engine->accepting = (cqe->flags & IORING_CQE_F_MORE) != 0;
  if (engine->datagrams) {
    uring_on_datagram(engine, cqe);
  } else if (cqe->res >= 0 && worker->accept == MUX_ACCEPT_HANDOFF) {
    accept_waiting(engine);
  } else if (cqe->res >= 0) {
    if (engine->direct) { /* no fd to set options on: they are inherited from the listener */
      MUX_COUNT(worker, accepted, 1);
      engine->free_files--;
      uring_add_connection(engine, cqe->res, IOSQE_FIXED_FILE);
    } else if (worker->host->adopt(worker, cqe->res) == 0) {
      uring_add_connection(engine, cqe->res, 0);
    }
  } else if (cqe->res == -EMFILE || cqe->res == -ENFILE || cqe->res == -ENOBUFS ||
             cqe->res == -ENOMEM) {
    MUX_COUNT(worker, paused, 1);
    pause_accepting(engine);
  } else if (cqe->res == -EBADF || cqe->res == -EINVAL || cqe->res == -ENOTSOCK ||
             cqe->res == -EOPNOTSUPP) {
    engine->error = cqe->res;
  } /* else the connection died in the queue; see accept(2) */
  if (engine->accepting)
    return;
  if (engine->draining)
    accept_leftovers(engine);
  else if (engine->resume_ns == 0)
    submit_accept(engine);
}

/* ---- The loop ------------------------------------------------------------------------------- */

static void start_draining(struct uring_engine *engine) {
  struct mux_worker *worker = engine->worker;
  engine->deadline_ns = worker->host->now_ns() + worker->drain_ns;
  engine->draining = true;
  uring_drain_connections(engine);
  if (engine->accepting)
    uring_cancel(engine, NULL, OP_ACCEPT);
  else
    accept_leftovers(engine);
}

static void handle(struct uring_engine *engine, const struct io_uring_cqe *cqe) {
  uint64_t data = io_uring_cqe_get_data64(cqe);
  void *object = (void *)(uintptr_t)(data & ~(uint64_t)OP_MASK);
  switch ((enum uring_op)(data & OP_MASK)) {
  case OP_RECEIVE:
    uring_on_receive(engine, object, cqe);
    break;
  case OP_SEND:
    uring_on_send(engine, object, cqe);
    break;
  case OP_SEND_DATAGRAM:
    uring_on_datagram_sent(engine, object);
    break;
  case OP_ACCEPT:
    on_accept(engine, cqe);
    break;
  case OP_STOP:
    start_draining(engine);
    break;
  default:
    break;
  }
}

/* Handles completions for as long as the submission queue has room for what follows from them. */
static void handle_batch(struct uring_engine *engine) {
  struct io_uring *ring = &engine->uring.ring;
  struct io_uring_cqe *cqe;
  unsigned head;
  unsigned handled = 0;
  io_uring_for_each_cqe(ring, head, cqe) {
    if (io_uring_sq_space_left(ring) < SQES_PER_COMPLETION)
      break;
    handle(engine, cqe);
    handled++;
  }
  io_uring_cq_advance(ring, handled);
  MUX_COUNT(engine->worker, waits, 1);
  MUX_COUNT(engine->worker, events, handled);
}

/* Does what is due. Returns how long to wait at most, -1 for no limit. */
static int64_t run_timers(struct uring_engine *engine) {
  int64_t due_ns = engine->draining ? engine->deadline_ns : engine->resume_ns;
  if (due_ns == 0 || engine->expired)
    return -1;
  int64_t now_ns = engine->worker->host->now_ns();
  if (now_ns < due_ns)
    return due_ns - now_ns;
  if (engine->draining) {
    engine->expired = true;
    uring_abort_connections(engine, -ETIMEDOUT);
    return -1;
  }
  resume_accepting(engine);
  return engine->resume_ns != 0 ? MUX_ACCEPT_PAUSE_NS : -1;
}

static bool is_over(const struct uring_engine *engine) {
  return engine->draining && !engine->accepting && engine->connections == NULL &&
         engine->echoes == 0;
}

static int loop(struct uring_engine *engine) {
  struct mux_worker *worker = engine->worker;
  struct io_uring_sqe *sqe = mux_uring_sqe(&engine->uring);
  io_uring_prep_poll_add(sqe, worker->stop_fd, POLLIN);
  uring_tag(sqe, NULL, OP_STOP);
  submit_accept(engine);
  while (!is_over(engine)) {
    int64_t timeout_ns = run_timers(engine);
    if (is_over(engine)) /* the deadline has ended the last */
      break;
    int error = mux_uring_wait(&engine->uring, timeout_ns);
    if (error == 0)
      error = engine->error;
    if (error < 0)
      return error;
    handle_batch(engine);
  }
  return 0;
}

static bool socket_is(int fd, int option, int value) {
  int actual = -1;
  socklen_t length = sizeof actual;
  return getsockopt(fd, SOL_SOCKET, option, &actual, &length) == 0 && actual == value;
}

int uring_serve(struct mux_worker *worker, struct mux_uring_config *config, bool multishot,
                bool direct) {
  struct uring_engine engine = {
      .worker = worker,
      .multishot = multishot,
      .datagrams = socket_is(worker->listen_fd, SO_TYPE, SOCK_DGRAM),
      /* As much as other backends hold; without multishot, one receive at a time. */
      .limit = multishot ? (uint32_t)(worker->buffer_bytes / config->buffer_bytes) + 1 : 1,
  };
  if (multishot)
    engine.receive_bytes = engine.limit * config->buffer_bytes;
  int error = engine.datagrams ? uring_prepare_datagrams(&engine, config) : 0;
  if (error < 0)
    return error;
  /* Connections of a Unix socket inherit no options from the listener, so they need an fd. */
  engine.direct = direct && !engine.datagrams && worker->accept != MUX_ACCEPT_HANDOFF &&
                  !socket_is(worker->listen_fd, SO_DOMAIN, AF_UNIX);
  struct rlimit files;
  if (engine.direct && getrlimit(RLIMIT_NOFILE, &files) == 0)
    engine.free_files = config->files = (unsigned)files.rlim_cur;
  char why[160];
  error = mux_uring_open(&engine.uring, config, why, sizeof why);
  if (error < 0) {
    worker->host->log(worker, "%s", why);
    return error;
  }
  set_listener_nonblocking(&engine, worker->accept == MUX_ACCEPT_HANDOFF);
  error = loop(&engine);
  mux_uring_close(&engine.uring);
  for (struct uring_connection *conn = engine.connections, *next; conn != NULL; conn = next) {
    next = conn->next; /* only after an error */
    worker->host->close(worker, conn->fixed ? -1 : conn->fd, error);
    free(conn);
  }
  return error;
}

#endif
