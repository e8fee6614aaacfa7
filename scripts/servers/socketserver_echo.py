#!/usr/bin/python3
"""Echo on socketserver of Python's standard library, a thread per connection.
Usage: socketserver_echo.py PORT

10,000 Python threads take longer to begin and to end than check waits (burst-of-connects,
ten-thousand-idle).
"""
import signal
import socketserver
import sys
import time


class Echo(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self):
        while data := self.connection.recv(65536):
            self.connection.sendall(data)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 4096

    def get_request(self):
        try:
            return super().get_request()
        except OSError:  # out of descriptors, perhaps: do not spin
            time.sleep(0.05)
            raise

    def handle_error(self, request, client_address):
        pass


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
Server(("127.0.0.1", int(sys.argv[1])), Echo).serve_forever()
