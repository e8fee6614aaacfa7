/* mutant.c: an echo server that is sound, or wrong in one way that is chosen by name.
 *
 *     mutant                    lists the flaws: name, address, the case that must catch it
 *     mutant FLAW PORT          serves on 127.0.0.1 and ::1
 *     mutant FLAW udp:PORT      ... on 127.0.0.1
 *     mutant FLAW unix:PATH
 *
 * It is a program of its own and shares no code with the backends, so that the cases are not proved
 * by the code that they judge. flaws.h has the table of flaws and of the cases that must catch
 * them.
 */
#include "tests/mutants/mutant.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

static enum flaw flaw;
static const char *unix_path, *lock_path;

bool is(enum flaw which) {
  return flaw == which;
}

void die(const char *what) {
  fprintf(stderr, "mutant: %s: %s\n", what, strerror(errno));
  exit(1);
}

void leave(void) {
  if (unix_path != NULL && !is(FLAW_LEAVES_PATH))
    unlink(unix_path);
  if (lock_path != NULL)
    unlink(lock_path);
  exit(0);
}

int bound(int type, const void *addr, socklen_t bytes) {
  int one = 1;
  int fd =
      socket(((const struct sockaddr *)addr)->sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0)
    die("socket");
  if (type == SOCK_STREAM && !is(FLAW_NO_REUSEADDR))
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(fd, addr, bytes) != 0)
    die("bind");
  if (type == SOCK_STREAM && listen(fd, 4096) != 0)
    die("listen");
  return fd;
}

/* Returns how many listeners there are. */
static int listen_at(const char *text, int listeners[2]) {
  int count = 0;
  struct sockaddr_un un = {.sun_family = AF_UNIX};
  struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
  if (strncmp(text, "unix:", 5) == 0) {
    unix_path = text + 5;
    if (!is(FLAW_NO_UNLINK))
      unlink(unix_path);
    snprintf(un.sun_path, sizeof un.sun_path, "%s", unix_path);
    listeners[count++] = bound(SOCK_STREAM, &un, sizeof un);
  } else {
    v4.sin_port = v6.sin6_port = htons((uint16_t)atoi(text));
    listeners[count++] = bound(SOCK_STREAM, &v4, sizeof v4);
    listeners[count++] = bound(SOCK_STREAM, &v6, sizeof v6);
  }
  return count;
}

static void take_lock(const char *port) {
  static char path[64];
  snprintf(path, sizeof path, "mutant-%s.lock", port);
  if (open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600) < 0)
    die(path);
  lock_path = path;
}

int main(int argc, char **argv) {
  if (argc != 3) {
    for (int i = 0; i < FLAW_ROWS; i++)
      printf("%s %s %s\n", flaw_rows[i].name, flaw_rows[i].where, flaw_rows[i].test);
    return 2;
  }
  int row = FLAW_ROWS;
  while (row > 0 && strcmp(flaw_rows[row - 1].name, argv[1]) != 0)
    row--;
  if (row == 0) {
    fprintf(stderr, "mutant: no flaw '%s'\n", argv[1]);
    return 2;
  }
  flaw = (enum flaw)(row - 1);
  if (strncmp(argv[2], "udp:", 4) == 0)
    serve_datagrams(atoi(argv[2] + 4));
  if (!is(FLAW_SIGPIPE_KILLS))
    signal(SIGPIPE, SIG_IGN);
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  int listeners[2];
  int count = listen_at(argv[2], listeners);
  if (is(FLAW_STALE_LOCK))
    take_lock(argv[2]);
  serve_streams(listeners, count);
}
