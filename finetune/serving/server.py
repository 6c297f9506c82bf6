"""Runs the application in a uvicorn server of its own.

    server.run(lambda: Predictor("output/mine"), "127.0.0.1", 8000, Limits())
"""

import contextlib
import functools
import ipaddress
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from finetune.errors import UserError
from finetune.serving.app import create_app
from finetune.serving.limits import Limits

SECONDS_TO_END = 30  # for the requests that are under way when it is to stop


class _Server(uvicorn.Server):
    """Says when it listens, in one line."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See base class."""
        await super().startup(sockets=sockets)
        if self.started and sockets:
            host, port = sockets[0].getsockname()[:2]
            address = f"[{host}]" if ":" in host else host
            print(f"listening on http://{address}:{port}", file=sys.stderr, flush=True)


class _Protocol(H11Protocol):
    """Closes a connection on which the next request has not begun in time, its headers whole.

    Args:
        seconds: for the headers; the guard looks after the body.
    """

    def __init__(self, *arguments: Any, seconds: float, **options: Any):
        super().__init__(*arguments, **options)
        self._seconds, self._timer = seconds, None

    def connection_made(self, transport: Any) -> None:
        """See base class."""
        super().connection_made(transport)
        self._wait_for_another_than(None)

    def on_response_complete(self) -> None:
        """See base class, which may find the next request here already."""
        answered = self.cycle
        super().on_response_complete()
        self._wait_for_another_than(answered)

    def connection_lost(self, exc: Exception | None) -> None:
        """See base class."""
        self._timer.cancel()
        super().connection_lost(exc)

    def _wait_for_another_than(self, request: Any) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = self.loop.call_later(
            self._seconds, lambda: self.cycle is request and self.transport.close())


def run(load: Callable[[], Any], host: str, port: int, limits: Limits) -> None:
    """Serves until Ctrl-C or SIGTERM; requests under way are answered.

    Args:
        load: returns the model; called when the address is known to be free.
        host: address to listen on; the default of scripts/serve.sh is this machine alone.
        port: 0 takes a free one.

    Raises:
        UserError: the address cannot be had.
    """
    problems = limits.problems()
    if problems:
        raise UserError(problems)
    with _bound(host, port) as listener:
        hosts = ["localhost", "127.0.0.1", "::1", host] if _is_loopback(listener) else None
        server = of(load(), limits, hosts)
        with _if_free(host, port):  # another may have begun to listen in the meantime
            listener.listen()
        server.run(sockets=[listener])


def of(model: Any, limits: Limits, hosts: list[str] | None = None) -> uvicorn.Server:
    """Returns the server of a model, which does not run yet; see `create_app` for the arguments."""
    app = create_app(model, limits, hosts, lambda: len(server.server_state.connections))
    server = _Server(uvicorn.Config(
        app, access_log=False, log_level="warning", server_header=False,
        http=functools.partial(_Protocol, seconds=limits.body_seconds),
        timeout_graceful_shutdown=SECONDS_TO_END))
    return server


@contextlib.contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    """Gives a socket that has the address; it listens only later, when the model is there."""
    if not 0 <= port <= 65535:
        raise UserError(f"--port={port}: must be 0 (any free one) to 65535")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)[0]
    except (socket.gaierror, UnicodeError) as error:  # the latter of a name such as a..b
        why = getattr(error, "strerror", "no name can be so")
        raise UserError(f"--host={host} --port={port}: there is no such address ({why})") from error
    # The protocol has to be named, or asyncio leaves Nagle's delay on: 40 ms an answer.
    with socket.socket(family, kind, protocol) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with _if_free(host, port):
            listener.bind(address)
        yield listener


@contextlib.contextmanager
def _if_free(host: str, port: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"--host={host} --port={port}: {error.strerror or error}; name another "
                        "--port, or end what listens there") from error


def _is_loopback(listener: socket.socket) -> bool:
    return ipaddress.ip_address(listener.getsockname()[0]).is_loopback
