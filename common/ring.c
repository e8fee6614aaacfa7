/* ring.c: see ring.h. The library is named by its users, backends/uring.c and
 * loadgen/engine_uring.c. */
#if __has_include(<liburing.h>)

#include "common/ring.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/clock.h"

enum {
  CACHE_LINE = 64,
  CHUNKS_PER_SLAB = 64,
  FIRST_LIVE = 64,
  SQPOLL_IDLE_MS = 10,
  SUBMIT_TRIES = 1000, /* for one submission, of a kernel that is short of requests */
};

struct mux_uring_slab {
  struct mux_uring_slab *next;
};

/* Chunks lie an odd number of cache lines apart: page-sized steps would put all their beginnings
 * into the same few sets of the cache. */
static size_t chunk_stride(const struct mux_uring *uring) {
  size_t lines =
      (sizeof(struct mux_uring_chunk) + uring->chunk_bytes + CACHE_LINE - 1) / CACHE_LINE;
  return (lines | 1) * CACHE_LINE;
}

static bool grow_pool(struct mux_uring *uring) {
  size_t stride = chunk_stride(uring);
  struct mux_uring_slab *slab =
      aligned_alloc(CACHE_LINE, CACHE_LINE + CHUNKS_PER_SLAB * stride); /* line 0: the slab */
  if (slab == NULL)
    return false;
  slab->next = uring->slabs;
  uring->slabs = slab;
  for (size_t i = CHUNKS_PER_SLAB; i-- > 0;) {
    struct mux_uring_chunk *chunk = (void *)((unsigned char *)slab + CACHE_LINE + i * stride);
    chunk->next = uring->free;
    uring->free = chunk;
  }
  return true;
}

/* Hands the most recently freed chunk to the kernel under this id. */
static bool provide(struct mux_uring *uring, uint16_t id) {
  if (uring->free == NULL && !grow_pool(uring))
    return false;
  struct mux_uring_chunk *chunk = uring->free;
  uring->free = chunk->next;
  uring->lent[id] = chunk;
  io_uring_buf_ring_add(uring->provided, chunk->bytes, uring->chunk_bytes, id,
                        (int)uring->capacity - 1, 0);
  io_uring_buf_ring_advance(uring->provided, 1);
  return true;
}

/* Fills vacant ids as far as memory allows. Rare: only after memory ran out, or `live` grew. */
static void fill_vacant(struct mux_uring *uring) {
  for (uint32_t id = 0; id < uring->live && uring->vacant > 0; id++)
    if (uring->lent[id] == NULL) {
      if (!provide(uring, (uint16_t)id))
        return;
      uring->vacant--;
    }
}

struct mux_uring_chunk *mux_uring_take(struct mux_uring *uring, const struct io_uring_cqe *cqe) {
  uint16_t id = (uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
  assert(id < uring->live && uring->lent[id] != NULL);
  struct mux_uring_chunk *chunk = uring->lent[id];
  uring->lent[id] = NULL;
  if (!provide(uring, id))
    uring->vacant++;
  chunk->next = NULL;
  chunk->head = chunk->tail = 0;
  return chunk;
}

void mux_uring_put(struct mux_uring *uring, struct mux_uring_chunk *chunk) {
  chunk->next = uring->free;
  uring->free = chunk;
  if (uring->vacant > 0)
    fill_vacant(uring);
}

bool mux_uring_provide_more(struct mux_uring *uring) {
  uint32_t more = uring->live < uring->capacity ? uring->live : 0;
  uring->live += more;
  uring->vacant += more;
  fill_vacant(uring);
  return uring->vacant < uring->live;
}

/* The call may be tried again: EAGAIN and EBUSY mean that the kernel is short of requests until
 * completions have been taken. */
static bool is_passing(int error) {
  return error == -EINTR || error == -EAGAIN || error == -EBUSY;
}

/* Submits until there is room again. Apart, because it is rare. */
static __attribute__((noinline)) struct io_uring_sqe *make_room(struct mux_uring *uring) {
  struct io_uring_sqe *sqe = NULL;
  for (int tries = 0; sqe == NULL && uring->error == 0; tries++) {
    int submitted = io_uring_submit(&uring->ring);
    if (submitted < 0 && !is_passing(submitted))
      uring->error = submitted;
    else if (tries == SUBMIT_TRIES)
      uring->error = -EBUSY;
    else if (uring->sqpoll)
      io_uring_sqring_wait(&uring->ring);
    sqe = io_uring_get_sqe(&uring->ring);
  }
  return sqe != NULL ? sqe : &uring->unused;
}

struct io_uring_sqe *mux_uring_sqe(struct mux_uring *uring) {
  struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);
  return sqe != NULL ? sqe : make_room(uring);
}

int mux_uring_wait(struct mux_uring *uring, int64_t timeout_ns) {
  int result;
  if (uring->error != 0)
    return uring->error;
  if (timeout_ns < 0) {
    result = io_uring_submit_and_wait(&uring->ring, 1);
  } else {
    struct __kernel_timespec limit = {.tv_sec = timeout_ns / MUX_S, .tv_nsec = timeout_ns % MUX_S};
    struct io_uring_cqe *cqe;
    result = io_uring_submit_and_wait_timeout(&uring->ring, &cqe, 1, &limit, NULL);
  }
  return result >= 0 || result == -ETIME || is_passing(result) ? 0 : result;
}

static int open_ring(struct mux_uring *uring, const struct mux_uring_config *config) {
  struct io_uring_params params = {
      .flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL,
      .cq_entries = config->completions,
  };
  uring->sqpoll = config->sqpoll;
  if (config->sqpoll) {
    params.flags |= IORING_SETUP_SQPOLL;
    params.sq_thread_idle = SQPOLL_IDLE_MS;
    return io_uring_queue_init_params(config->entries, &uring->ring, &params);
  }
  struct io_uring_params older = params;
  older.flags |= IORING_SETUP_COOP_TASKRUN;
  if (!config->defer_taskrun)
    return io_uring_queue_init_params(config->entries, &uring->ring, &older);
  params.flags |= IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  int error = io_uring_queue_init_params(config->entries, &uring->ring, &params);
  if (error == -EINVAL) /* before Linux 6.1 */
    error = io_uring_queue_init_params(config->entries, &uring->ring, &older);
  return error;
}

static int open_buffers(struct mux_uring *uring, const struct mux_uring_config *config) {
  uring->chunk_bytes = config->buffer_bytes;
  uring->capacity = FIRST_LIVE;
  while (uring->capacity < config->buffers)
    uring->capacity *= 2;
  uring->lent = calloc(uring->capacity, sizeof *uring->lent);
  if (uring->lent == NULL)
    return -ENOMEM;
  uring->provided_bytes = uring->capacity * sizeof(struct io_uring_buf);
  void *memory =
      mmap(NULL, uring->provided_bytes, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
  if (memory == MAP_FAILED)
    return -errno;
  uring->provided = memory;
  io_uring_buf_ring_init(uring->provided);
  struct io_uring_buf_reg registration = {
      .ring_addr = (uintptr_t)memory,
      .ring_entries = uring->capacity,
      .bgid = MUX_URING_BUFFER_GROUP,
  };
  int error = io_uring_register_buf_ring(&uring->ring, &registration, 0);
  if (error < 0)
    return error;
  uring->live = uring->vacant = FIRST_LIVE;
  fill_vacant(uring);
  return uring->vacant == 0 ? 0 : -ENOMEM;
}

static void close_buffers(struct mux_uring *uring) {
  if (uring->provided != NULL)
    munmap(uring->provided, uring->provided_bytes);
  free(uring->lent);
  for (struct mux_uring_slab *slab = uring->slabs, *next; slab != NULL; slab = next) {
    next = slab->next;
    free(slab);
  }
}

static const char *ring_refusal(int error) {
  switch (error) {
  case -ENOSYS:
    return "this kernel has no io_uring";
  case -EPERM:
  case -EACCES:
    return "io_uring is forbidden here (sysctl kernel.io_uring_disabled, seccomp or a container's "
           "policy)";
  case -ENOMEM:
    return "no memory for an io_uring (before Linux 5.12: raise RLIMIT_MEMLOCK)";
  case -EINVAL:
    return "this kernel's io_uring lacks a flag that is needed (Linux 5.19 has them all)";
  default:
    return strerror(-error);
  }
}

int mux_uring_open(struct mux_uring *uring, const struct mux_uring_config *config, char *why,
                   size_t why_bytes) {
  *uring = (struct mux_uring){0};
  int error = open_ring(uring, config);
  if (error < 0) {
    snprintf(why, why_bytes, "%s", ring_refusal(error));
    return error;
  }
  error = open_buffers(uring, config);
  if (error < 0) {
    snprintf(why, why_bytes, "no ring of provided buffers (Linux 5.19 has them): %s",
             strerror(-error));
    goto out;
  }
  if (config->files > 0) {
    error = io_uring_register_files_sparse(&uring->ring, config->files);
    if (error < 0) {
      snprintf(why, why_bytes, "no table of %u direct descriptors: %s", config->files,
               strerror(-error));
      goto out;
    }
  }
  /* Saves the kernel looking up the ring's own fd; its absence costs nothing else. */
  io_uring_register_ring_fd(&uring->ring);
  return 0;
out:
  mux_uring_close(uring);
  return error;
}

bool mux_uring_knows(int operation) {
  struct io_uring_probe *probe = io_uring_get_probe();
  bool known = probe != NULL && io_uring_opcode_supported(probe, operation);
  io_uring_free_probe(probe);
  return known;
}

void mux_uring_close(struct mux_uring *uring) {
  io_uring_queue_exit(&uring->ring);
  close_buffers(uring);
}

#endif
