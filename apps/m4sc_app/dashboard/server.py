"""The page's web server: the page, its events, and what it asks for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from m4sc.tasks import TASKS
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from m4sc_app.dashboard.link import LinkService
from m4sc_app.errors import is_user_error, sentence

_PAGE = Path(__file__).with_name("page.html")
_LARGEST_BYTES = 16 << 20
_ALIVE_S = 10.0
_HELD = 500  # events for a page that does not read them
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


async def _events(service: LinkService, request: Request) -> AsyncIterator[str]:
    """Server-sent events: what happened so far, then what happens."""
    loop = asyncio.get_running_loop()
    waiting: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def listener(row: dict[str, Any]) -> None:
        if waiting.qsize() < _HELD:
            loop.call_soon_threadsafe(waiting.put_nowait, row)

    try:
        for row in service.listen(listener):
            yield f"data: {json.dumps(row)}\n\n"
        while not await request.is_disconnected():
            try:
                row = await asyncio.wait_for(waiting.get(), _ALIVE_S)
                yield f"data: {json.dumps(row)}\n\n"
            except TimeoutError:
                yield ": alive\n\n"
    finally:
        service.leave(listener)


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
