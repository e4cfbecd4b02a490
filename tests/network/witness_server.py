"""A target that remembers each request: when it came, for what, and from which user. Started as a process.

`GET /_log` answers with one line a request: milliseconds of this machine's monotonic clock, path, `X-User`.
It must never answer before it has remembered, nor count its own route.
"""

from __future__ import annotations

import asyncio
import sys
import time

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
MAX_HEAD_BYTES = 64 << 10


async def serve(address: str) -> None:
    """Serves for ever on a free port of `address`."""
    log: list[str] = []

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                path = head.split(" ", 2)[1]
                if path == "/_log":
                    body = "".join(log).encode()
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                else:
                    log.append(f"{time.monotonic_ns() // 1_000_000} {path} {header(head, 'x-user')}\n")
                    writer.write(ANSWER)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(converse, address, 0, limit=MAX_HEAD_BYTES, backlog=1024)
    print(f"listening on http://{address}:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def header(head: str, name: str) -> str:
    """The value of a header in a request's head; "-" when it is not there."""
    for line in head.split("\r\n")[1:]:
        key, _, value = line.partition(":")
        if key.lower() == name:
            return value.strip()
    return "-"


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
