#!/bin/sh
# Echo in shell: socat (Debian: socat) accepts and forks, and cat is given the socket itself as its
# standard input and output (nofork), so nothing is relayed. Usage: shell_echo.sh PORT
# Out of descriptors socat listens anew a little later (forever, interval), and resets what is in the
# queue (accept-emfile); 12,000 processes are more than check waits for (burst-of-connects); a signal
# ends socat, but not the cats (sigterm-drains).
exec socat "TCP4-LISTEN:$1,bind=127.0.0.1,reuseaddr,nodelay,backlog=4096,fork,forever,interval=0.05" \
  EXEC:cat,nofork
