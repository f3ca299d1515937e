"""The page's web server: the page, its events, and what it asks for."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import uvicorn
from m4sc.tasks import TASKS
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from m4sc_app.dashboard.events import Backlog
from m4sc_app.dashboard.link import CLOSED, LinkService
from m4sc_app.errors import is_user_error, sentence

_PAGE = Path(__file__).with_name("page.html")
_LARGEST_BYTES = 16 << 20
_ALIVE_S = 10.0
_HELD, _HELD_BYTES = 500, 64 << 20  # events for a page that does not read them
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; " \
    "media-src data:; connect-src 'self'"  # fmt: skip


def make_app(service: LinkService, hosts: Sequence[str]) -> Starlette:
    """The web application.

    Requests that change something need the header ``X-M4SC``, which another site's page cannot send, and
    every request a host name of ``hosts``.
    """

    async def page(request: Request) -> Response:
        return HTMLResponse(_PAGE.read_text(encoding="utf-8"), headers={"Content-Security-Policy": _POLICY})

    async def tasks(request: Request) -> Response:
        rows = [
            {
                "name": t.name,
                "modality": t.modality,
                "question": t.needs_question,
                "wording": t.instructions[0],
            }
            for t in TASKS.values()
        ]
        return JSONResponse(rows)

    async def state(request: Request) -> Response:
        return JSONResponse(service.state())

    async def events(request: Request) -> Response:
        return StreamingResponse(
            _events(service, request), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )

    async def channel(request: Request) -> Response:
        try:
            wanted = json.loads(await _body(request))
            if not isinstance(wanted, dict):
                raise ValueError("give an object of settings")
        except RecursionError:
            return _refusal(ValueError("the settings are nested too deeply"))
        except ValueError as exc:
            return _refusal(exc)
        return await _answer(service.set_channel, wanted)

    async def send(request: Request) -> Response:
        query = request.query_params
        try:
            payload = await _body(request)
        except ValueError as exc:
            return _refusal(exc)
        name, task = query.get("name", "")[:80], query.get("task", "")
        return await _answer(service.send, payload, task, query.get("instruction"), name)

    routes = [
        Route("/", page),
        Route("/tasks", tasks),
        Route("/state", state),
        Route("/events", events),
        Route("/channel", channel, methods=["POST"]),
        Route("/send", send, methods=["POST"]),
    ]
    return Starlette(routes=routes, middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))])


class PageServer(uvicorn.Server):
    """A server that ends the pages' streams before it waits for them: cancelled, each prints a traceback."""

    def __init__(self, service: LinkService, host: str, port: int, hosts: Sequence[str]) -> None:
        app = make_app(service, hosts)
        config = uvicorn.Config(
            app, host=host, port=port, log_level="warning", timeout_graceful_shutdown=2
        )  # fmt: skip
        super().__init__(config)
        self._service = service

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Called by uvicorn when it is to end."""
        self._service.close()
        await super().shutdown(sockets)


async def _events(service: LinkService, request: Request) -> AsyncIterator[str]:
    """Server-sent events: what happened so far, then what happens."""
    loop = asyncio.get_running_loop()
    waiting, came, closed = Backlog(_HELD, _HELD_BYTES), asyncio.Event(), asyncio.Event()

    def arrived(row: dict[str, Any]) -> None:
        if row["event"] == CLOSED:
            closed.set()
        else:
            waiting.put(row)
        came.set()

    def listener(row: dict[str, Any]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended, and the page with it
            loop.call_soon_threadsafe(arrived, row)

    try:
        for row in service.listen(listener):
            yield _line(row)
        while not closed.is_set() and not await request.is_disconnected():
            try:
                await asyncio.wait_for(came.wait(), _ALIVE_S)
            except TimeoutError:
                yield ": alive\n\n"
                continue
            came.clear()
            while not closed.is_set() and (next_row := waiting.take()) is not None:
                yield _line(next_row)
            if lost := waiting.take_lost():
                text = f"{lost} events are not shown: this page reads too slowly"
                yield _line({"event": "peer", "time_s": time.time(), "text": text})
    finally:
        service.leave(listener)


def _line(row: dict[str, Any]) -> str:
    return f"data: {json.dumps(row)}\n\n"


async def _body(request: Request) -> bytes:
    if "x-m4sc" not in request.headers:
        raise ValueError("the header X-M4SC is missing; use this server's own page")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST_BYTES:
            raise ValueError(f"the message is larger than {_LARGEST_BYTES >> 20} MiB; send a smaller one")
    return body


async def _answer(call: Any, *args: Any) -> Response:
    try:
        return JSONResponse({"result": await run_in_threadpool(call, *args)})
    except ValueError as exc:
        if is_user_error(exc):
            return _refusal(exc)
        raise


def _refusal(exc: Exception) -> Response:
    return JSONResponse({"error": sentence(exc)}, status_code=400)
