/* flaws.h: one row for each flaw that the mutant can have, with the case that must catch it. A case
 * of `muxbench check` without a row here does not count. */
#ifndef MUTANT_FLAWS_H
#define MUTANT_FLAWS_H

/* Suffix in the enum, name, address to serve on ("{port}": TCP), and the case that must catch it.
 * also.txt has the other cases that it fails. */
#define TCP  "{port}"
#define UDP  "udp:{port}"
#define UNIX "unix:{path}"
#define MUTANT_FLAWS(X)                                                                            \
  X(ONE_BYTE_IS_EOF, "one-byte-is-eof", TCP, "one-byte-writes")                                    \
  X(ONE_READ_PER_EDGE, "one-read-per-edge", TCP, "pipelined-1000")                                 \
  X(DROPS_FF, "drops-ff", TCP, "all-byte-values")                                                  \
  X(FULL_BUFFER, "terminates-full-buffer", TCP, "sizes")                                           \
  X(WRAPS, "loses-a-byte-at-32MiB", TCP, "bulk-64MiB")                                             \
  X(DROPS_SHORT_SEND, "drops-short-send", TCP, "random-chunks")                                    \
  X(SHARED_BUFFER, "shared-buffer", TCP, "many-connections-crosstalk")                             \
  X(UNBOUNDED, "unbounded-buffer", TCP, "slow-reader")                                             \
  X(FORGETS_INPUT, "forgets-input-after-stall", TCP, "resume-after-stall")                         \
  X(BLOCKING, "blocking-send", TCP, "stalled-peer-does-not-block-others")                          \
  X(NO_BUDGET, "no-budget", TCP, "firehose-fairness")                                              \
  X(NAGLE, "nagle", TCP, "echo-is-prompt")                                                         \
  X(POLLS, "polls-every-40ms", TCP, "echo-is-prompt")                                              \
  X(EOF_DROPS_REST, "eof-drops-rest", TCP, "half-close")                                           \
  X(IGNORES_EMPTY_FIN, "ignores-empty-fin", TCP, "half-close-empty")                               \
  X(RDHUP_CLOSES, "rdhup-closes", TCP, "half-close-after-stall")                                   \
  X(EXITS_ON_RESET, "exits-on-reset", TCP, "reset-idle")                                           \
  X(KEEPS_BROKEN, "keeps-broken-sender", TCP, "reset-midstream")                                   \
  X(KEEPS_RESET, "keeps-reset-reader", TCP, "client-vanishes")                                     \
  X(LEAKS_SILENT, "leaks-silent-connection", TCP, "connect-and-close-1000")                        \
  X(EXITS_ON_ABORTED, "exits-on-aborted", TCP, "abort-before-accept")                              \
  X(SIGPIPE_KILLS, "sigpipe-kills", TCP, "send-after-close")                                       \
  X(SHORT_READ_IS_ALL, "short-read-is-all", TCP, "no-fin-lost")                                    \
  X(EMFILE_SPINS, "emfile-spins", TCP, "accept-emfile")                                            \
  X(EMFILE_FORGETS, "emfile-forgets", TCP, "accept-emfile")                                        \
  X(TABLE_OF_1024, "table-of-1024", TCP, "fd-beyond-select")                                       \
  X(ONE_ACCEPT_PER_EDGE, "one-accept-per-edge", TCP, "burst-of-connects")                          \
  X(SPINS_WHEN_FULL, "spins-when-full", TCP, "ten-thousand-idle")                                  \
  X(ABORTS_ON_ENOMEM, "aborts-on-enomem", TCP, "thread-or-process-limit")                          \
  X(IDLE_TIMEOUT, "idle-timeout-1s", TCP, "idle-then-echo")                                        \
  X(EXITS_ON_EINTR, "exits-on-eintr", TCP, "eintr-storm")                                          \
  X(SIGTERM_EXITS, "sigterm-exits-at-once", TCP, "sigterm-drains")                                 \
  X(NO_DEADLINE, "drains-without-deadline", TCP, "sigterm-with-stuck-peer")                        \
  X(NO_REUSEADDR, "no-reuseaddr", TCP, "restart-same-port")                                        \
  X(STALE_LOCK, "stale-lock", TCP, "restart-under-connections")                                    \
  X(LEAKS_MEMORY, "leaks-4KiB", TCP, "fd-and-memory-soak")                                         \
  X(V4_PEERS_ONLY, "v4-peers-only", TCP, "dual-stack")                                             \
  X(ZERO_IS_END, "zero-datagram-ends", UDP, "udp-zero-length")                                     \
  X(SMALL_DATAGRAMS, "datagrams-of-4KiB", UDP, "udp-largest")                                      \
  X(EXITS_ON_ICMP, "exits-on-icmp-error", UDP, "udp-icmp-error-survived")                          \
  X(DROPS_SEVENTH, "drops-every-7th-datagram", UDP, "udp-queue-echoed")                            \
  X(MERGES, "merges-datagrams", UDP, "udp-queue-echoed")                                           \
  X(ONE_DATAGRAM_PER_EDGE, "one-datagram-per-edge", UDP, "udp-queue-echoed")                       \
  X(FIRST_PEER, "answers-the-first-peer", UDP, "udp-peers-apart")                                  \
  X(OTHER_PORT, "answers-from-another-port", UDP, "udp-reply-address")                             \
  X(TABLE_OF_100, "table-of-100-datagrams", UDP, "udp-burst-survived")                             \
  X(TABLE_OF_1000, "table-of-1000-peers", UDP, "udp-ten-thousand-peers")                           \
  X(LEAVES_PATH, "leaves-path", UNIX, "unix-path-removed")                                         \
  X(NO_UNLINK, "no-unlink", UNIX, "unix-stale-path")

enum flaw {
  SOUND,
#define X(id, name, where, test) FLAW_##id,
  MUTANT_FLAWS(X)
#undef X
};

static const struct flaw_row {
  const char *name;
  const char *where;
  const char *test;
} flaw_rows[] = {{"sound", TCP, ""},
#define X(id, name, where, test) {name, where, test},
                 MUTANT_FLAWS(X)
#undef X
};
enum { FLAW_ROWS = sizeof flaw_rows / sizeof *flaw_rows };

#endif
