/* Echo in C, a process per connection: the least there is, to copy. Usage: fork_echo PORT
 * make servers builds it; then: muxbench check --exec 'build/servers/fork_echo {port}' */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void echo(int fd) {
  char buffer[16384];
  ssize_t n;
  while ((n = recv(fd, buffer, sizeof buffer, 0)) > 0)
    for (ssize_t sent = 0, more; sent < n; sent += more)
      if ((more = send(fd, buffer + sent, (size_t)(n - sent), MSG_NOSIGNAL)) < 0)
        return;
}

int main(int argc, char **argv) {
  struct sockaddr_in addr = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((uint16_t)atoi(argc > 1 ? argv[1] : "7"))};
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)); /* is inherited */
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
  if (bind(listener, (struct sockaddr *)&addr, sizeof addr) != 0 || listen(listener, 4096) != 0)
    return 1;
  signal(SIGCHLD, SIG_IGN); /* children are reaped by the kernel */
  for (;;) {
    int fd = accept(listener, NULL, NULL);
    if (fd < 0) { /* out of descriptors, perhaps: do not spin */
      poll(NULL, 0, 50);
      continue;
    }
    if (fork() == 0) {
      close(listener);
      echo(fd);
      return 0;
    }
    close(fd);
  }
}
