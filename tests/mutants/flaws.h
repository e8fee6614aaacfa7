/* flaws.h: one row for every way in which mutant.c can be wrong, and the case that must catch it.
 * A case of `muxbench check` without a row here does not count. */
#ifndef MUTANT_FLAWS_H
#define MUTANT_FLAWS_H

/* enum suffix, flaw, case, address to serve on ("{port}": TCP) */
#define TCP  "{port}"
#define UDP  "udp:{port}"
#define UNIX "unix:{path}"
#define MUTANT_FLAWS(X)                                                                            \
  X(ONE_BYTE_IS_EOF, "one-byte-is-eof", "one-byte-writes", TCP)                                    \
  X(ONE_READ_PER_EDGE, "one-read-per-edge", "pipelined-1000", TCP)                                 \
  X(DROPS_FF, "drops-ff", "all-byte-values", TCP)                                                  \
  X(FULL_BUFFER, "terminates-full-buffer", "sizes", TCP)                                           \
  X(WRAPS, "loses-a-byte-at-32MiB", "bulk-64MiB", TCP)                                             \
  X(DROPS_SHORT_SEND, "drops-short-send", "random-chunks", TCP)                                    \
  X(SHARED_BUFFER, "shared-buffer", "many-connections-crosstalk", TCP)                             \
  X(UNBOUNDED, "unbounded-buffer", "slow-reader", TCP)                                             \
  X(FORGETS_INPUT, "forgets-input-after-stall", "resume-after-stall", TCP)                         \
  X(BLOCKING, "blocking-send", "stalled-peer-does-not-block-others", TCP)                          \
  X(NO_BUDGET, "no-budget", "firehose-fairness", TCP)                                              \
  X(NAGLE, "nagle", "echo-is-prompt", TCP)                                                         \
  X(POLLS, "polls-every-40ms", "echo-is-prompt", TCP)                                              \
  X(EOF_DROPS_REST, "eof-drops-rest", "half-close", TCP)                                           \
  X(IGNORES_EMPTY_FIN, "ignores-empty-fin", "half-close-empty", TCP)                               \
  X(RDHUP_CLOSES, "rdhup-closes", "half-close-after-stall", TCP)                                   \
  X(EXITS_ON_RESET, "exits-on-reset", "reset-idle", TCP)                                           \
  X(KEEPS_BROKEN, "keeps-broken-sender", "reset-midstream", TCP)                                   \
  X(KEEPS_RESET, "keeps-reset-reader", "client-vanishes", TCP)                                     \
  X(LEAKS_SILENT, "leaks-silent-connection", "connect-and-close-1000", TCP)                        \
  X(EXITS_ON_ABORTED, "exits-on-aborted", "abort-before-accept", TCP)                              \
  X(SIGPIPE_KILLS, "sigpipe-kills", "send-after-close", TCP)                                       \
  X(SHORT_READ_IS_ALL, "short-read-is-all", "no-fin-lost", TCP)                                    \
  X(EMFILE_SPINS, "emfile-spins", "accept-emfile", TCP)                                            \
  X(EMFILE_FORGETS, "emfile-forgets", "accept-emfile", TCP)                                        \
  X(TABLE_OF_1024, "table-of-1024", "fd-beyond-select", TCP)                                       \
  X(ONE_ACCEPT_PER_EDGE, "one-accept-per-edge", "burst-of-connects", TCP)                          \
  X(SPINS_WHEN_FULL, "spins-when-full", "ten-thousand-idle", TCP)                                  \
  X(ABORTS_ON_ENOMEM, "aborts-on-enomem", "thread-or-process-limit", TCP)                          \
  X(IDLE_TIMEOUT, "idle-timeout-1s", "idle-then-echo", TCP)                                        \
  X(EXITS_ON_EINTR, "exits-on-eintr", "eintr-storm", TCP)                                          \
  X(SIGTERM_EXITS, "sigterm-exits-at-once", "sigterm-drains", TCP)                                 \
  X(NO_DEADLINE, "drains-without-deadline", "sigterm-with-stuck-peer", TCP)                        \
  X(NO_REUSEADDR, "no-reuseaddr", "restart-same-port", TCP)                                        \
  X(STALE_LOCK, "stale-lock", "restart-under-connections", TCP)                                    \
  X(LEAKS_MEMORY, "leaks-4KiB", "fd-and-memory-soak", TCP)                                         \
  X(V4_PEERS_ONLY, "v4-peers-only", "dual-stack", TCP)                                             \
  X(ZERO_IS_END, "zero-datagram-ends", "udp-zero-length", UDP)                                     \
  X(SMALL_DATAGRAMS, "datagrams-of-4KiB", "udp-largest", UDP)                                      \
  X(EXITS_ON_ICMP, "exits-on-icmp-error", "udp-icmp-error-survived", UDP)                          \
  X(LEAVES_PATH, "leaves-path", "unix-path-removed", UNIX)                                         \
  X(NO_UNLINK, "no-unlink", "unix-stale-path", UNIX)

enum flaw {
  SOUND,
#define X(id, name, test, where) FLAW_##id,
  MUTANT_FLAWS(X)
#undef X
};

static const struct flaw_row {
  const char *name;
  const char *test;
  const char *where;
} flaw_rows[] = {{"sound", "", TCP},
#define X(id, name, test, where) {name, test, where},
                 MUTANT_FLAWS(X)
#undef X
};
enum { FLAW_ROWS = sizeof flaw_rows / sizeof *flaw_rows };

#endif
