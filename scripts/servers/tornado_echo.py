#!/usr/bin/python3
"""Echo on Tornado's TCPServer (Debian: python3-tornado). Usage: tornado_echo.py PORT

Tornado closes a stream as soon as it sees the peer's EOF, whatever has been read before it and is
not echoed yet: `muxbench check` finds the loss (half-close). HalfOpen holds the EOF back. What check
says about accept-emfile is Tornado's own: out of descriptors it retries accept() without a pause.
"""
import asyncio
import signal
import sys
import time

from tornado.iostream import IOStream, StreamClosedError
from tornado.tcpserver import TCPServer


class HalfOpen(IOStream):
    def read_from_fd(self, buf):
        n = super().read_from_fd(buf)
        return None if n == 0 and (self._read_buffer_size or self._write_buffer) else n


class Echo(TCPServer):
    async def handle_stream(self, stream, address):
        stream.__class__ = HalfOpen
        stream.set_nodelay(True)
        try:
            while True:
                # Awaiting the write is the back-pressure: nothing is read that waits to be sent.
                await stream.write(await stream.read_bytes(65536, partial=True))
        except StreamClosedError:
            pass
        finally:
            stream.close()


async def main():
    Echo().listen(int(sys.argv[1]), "127.0.0.1", backlog=4096)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    # What nobody catches is accept() out of descriptors, which Tornado repeats at once: pause.
    loop.set_exception_handler(lambda *_: time.sleep(0.05))
    await stop.wait()


asyncio.run(main())
