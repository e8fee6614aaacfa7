#!/usr/bin/python3
"""Echo on asyncio's streams, of Python's standard library. Usage: asyncio_echo.py PORT"""
import asyncio
import signal
import socket
import sys


async def echo(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def main():
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    # asyncio calls accept() `backlog` times in a row, even when out of descriptors.
    server = await asyncio.start_server(echo, sock=listener, backlog=64)
    listener.listen(4096)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    server.close()


asyncio.run(main())
