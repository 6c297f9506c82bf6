"""What stands around the application: bounds a request's body, counts requests, adds headers."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from finetune.serving.limits import Limits
from finetune.serving.metrics import Metrics

_HEADERS = [(b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")]


class Guard:
    """ASGI middleware.

    A body is read here, whole, before the application is called: one that is too large is refused
    when that is known, not when all of it has come.

    Args:
        app: the application.
        limits: of a request.
        metrics: gets requests and their time.
        paths: those that the application has.
        hosts: names under which the service may be addressed; None: any.
        connections: tells how many are open.
    """

    def __init__(self, app: Callable, limits: Limits, metrics: Metrics, paths: frozenset[str],
                 hosts: frozenset[str] | None, connections: Callable[[], int]):
        self._app, self._limits, self._metrics = app, limits, metrics
        self._paths, self._hosts, self._connections = paths, hosts, connections

    async def __call__(self, scope: dict[str, Any], receive: Callable, send: Callable) -> None:
        """Serves one connection's request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"] if scope["path"] in self._paths else "other"
        began, status = time.perf_counter(), None

        async def counted(message: dict[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message["headers"], *_HEADERS]}
            await send(message)

        try:
            await self._serve(scope, receive, counted)
        except BaseException:
            status = status or 500
            raise
        finally:
            self._metrics.requests.labels(path, status or "left").inc()
            self._metrics.seconds.labels(path).observe(time.perf_counter() - began)

    async def _serve(self, scope: dict[str, Any], receive: Callable, send: Callable) -> None:
        limits, headers = self._limits, dict(scope["headers"])
        if self._connections() > limits.connections:
            await _refuse(send, 503, f"more than {limits.connections:,} connections are open; try "
                          "again later", (b"retry-after", b"1"))
            return
        if self._hosts is not None and _host(headers) not in self._hosts:
            await _refuse(send, 421, "this service is addressed as "
                          + " or ".join(sorted(self._hosts)))
            return
        try:
            body = await asyncio.wait_for(self._body(headers, receive), limits.body_seconds)
        except asyncio.TimeoutError:
            await _refuse(send, 408, f"the request has not come in whole within "
                          f"{limits.body_seconds:g} s")
            return
        except OverflowError:
            await _refuse(send, 413, f"the request has more than {limits.body_bytes:,} bytes, "
                          "which is the most that is taken; send fewer texts at a time")
            return
        if body is None:  # the client has left
            return
        given = False

        async def replay() -> dict[str, Any]:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, send)

    async def _body(self, headers: dict[bytes, bytes], receive: Callable) -> bytes | None:
        """Returns the body, None if the client left; OverflowError: it is too large.

        A client that does not look for an answer before all is sent would never see it. So ten
        times what is allowed is read, and dropped.
        """
        most = self._limits.body_bytes
        parts, size = [], 0
        if int(headers.get(b"content-length", b"0")) > most and (
                b"expect" in headers or int(headers[b"content-length"]) > 10 * most):
            raise OverflowError
        while size <= 10 * most:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            size += len(message.get("body", b""))
            if size <= most:
                parts.append(message.get("body", b""))
            if not message.get("more_body"):
                break
        if size > most:
            raise OverflowError
        return b"".join(parts)


def _host(headers: dict[bytes, bytes]) -> str | None:
    """Returns the name in the Host header, without its port."""
    try:
        return urlsplit("//" + headers.get(b"host", b"").decode("ascii")).hostname
    except ValueError:
        return None


async def _refuse(send: Callable, status: int, message: str,
                  *headers: tuple[bytes, bytes]) -> None:
    """Answers and closes, since what is left of the request is not read."""
    body = json.dumps({"errors": [message]}).encode()
    await send({"type": "http.response.start", "status": status, "headers": [
        (b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"), *headers]})
    await send({"type": "http.response.body", "body": body})
