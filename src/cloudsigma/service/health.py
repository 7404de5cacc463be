"""A small HTTP server: `/healthz`, `/readyz` and `/metrics` of a running scan; it changes nothing.

It answers from threads of its own, with the latest numbers that the scan has published, so that it never makes the scan
wait. It takes few connections at a time, each for a few seconds.
"""

from __future__ import annotations

import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import Any

import msgspec

from cloudsigma.errors import CloudSigmaError, UsageError
from cloudsigma.scanning.monitor import Monitor
from cloudsigma.service.metrics import Metrics

_CONNECTIONS = 8
"""Most connections at a time; further ones are closed at once."""
_TIMEOUT = 5.0
"""Seconds that a connection may be silent."""


class Address(msgspec.Struct, frozen=True):
    """An address to listen on."""

    host: str
    port: int
    """0: any free port."""

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """`HOST:PORT` or `PORT`; a port alone is on loopback. Raises `UsageError`."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") or "127.0.0.1"
    if not port.isascii() or not port.isdigit() or len(port) > 5 or int(port) > 65_535:
        raise UsageError(f"{text!r} is not an address to listen on; give HOST:PORT, such as 127.0.0.1:9464")
    return Address(host, int(port))


class HealthServer:
    """Serves the health of a scan until it is closed.

    Args:
        address: Where to listen.
        monitor: The monitor of the scan.
        by_rule: Whether matches are counted by rule, too.

    Raises:
        CloudSigmaError: The address cannot be listened on.
    """

    def __init__(self, address: Address, monitor: Monitor, *, by_rule: bool = False) -> None:
        metrics = Metrics(monitor, by_rule=by_rule)
        kind = _Server6 if ":" in address.host else _Server
        try:
            self._server = kind((address.host, address.port), _handler(monitor, metrics))
        except OSError as error:
            reason = error.strerror or error
            raise CloudSigmaError(f"{address} cannot be listened on ({reason}); give another --listen") from error
        self.address = Address(address.host, self._server.server_address[1])
        """Where it listens."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.2,), name="cloudsigma-health", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(1.0)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = _CONNECTIONS

    def __init__(self, *given: Any) -> None:
        self._slots = threading.BoundedSemaphore(_CONNECTIONS)
        super().__init__(*given)

    def server_bind(self) -> None:
        """Bind without a lookup of the host's name, which may take long."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread, if one is free."""
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, and free the thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent about a client that has gone."""


class _Server6(_Server):
    address_family = socket.AF_INET6


def _handler(monitor: Monitor, metrics: Metrics) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _TIMEOUT
        server_version, sys_version = "cloudsigma", ""

        def do_GET(self) -> None:  # http.server's name
            match self.path.partition("?")[0]:
                case "/healthz":
                    self._answer_whether("alive", is_well=monitor.is_alive)
                case "/readyz":
                    self._answer_whether("ready", is_well=monitor.is_ready)
                case "/metrics":
                    kind, text = metrics.render(self.headers.get("Accept", ""))
                    self._answer(HTTPStatus.OK, kind, text)
                case _:
                    self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"there are /healthz, /readyz and /metrics\n")

        do_HEAD = do_GET  # noqa: N815  # as above

        def _answer_whether(self, state: str, *, is_well: bool) -> None:
            status = HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE
            self._answer(status, "text/plain", f"{'' if is_well else 'not '}{state}\n".encode())

        def _answer(self, status: HTTPStatus, kind: str, text: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(text)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(text)

        def log_message(self, *given: Any) -> None:
            """Log no requests."""

    return Handler
