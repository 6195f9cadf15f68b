"""An HTTP server on loopback that answers as a test says."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, Iterator


@contextmanager
def serving(answer: Callable[[str, dict[str, str], bytes], tuple[int, dict[str, str], bytes]]) -> Iterator[str]:
    """Serves in the with statement.

    Args:
        answer: gets path, headers (names in lower case) and body; returns status,
            headers and body.

    Yields:
        The server's URL.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers, body = answer(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def as_json(value: Any, status: int = 200, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """An answer in JSON."""
    return status, {"Content-Type": "application/json", **headers}, json.dumps(value).encode()
