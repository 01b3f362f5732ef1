"""The page's requests: look, press, stop.

    GET  /        the page                     GET  /enter   the page that exchanges a token
    GET  /state   what a screen shows          POST /enter   {"token": ...} -> a cookie
    GET  /events  the same with every change   POST /press   {"id", "key", "text", "seen", "campaign"[, "trial"]}
                  (server-sent events)                     -> the new state
                                               POST /stop    {} stops the robot, where one is attached
                                               POST /alive   {} "a page is open", for a robot's watchdog

A press names the campaign and the `number` of the state that the operator saw, and is refused if that is past. It also
has an id of its own, which goes into the log: a page that heard no answer sends the same again, and it is pressed once.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from real_robot_benchmark.session import Session
from real_robot_benchmark.state import OutdatedError, PressError
from real_robot_benchmark.web.access import Gate, TooManyTriesError
from real_robot_benchmark.web.guard import OPEN_PATH, Guard, client, refuse
from real_robot_benchmark.web.line import PATIENCE_S
from real_robot_benchmark.web.page import Pages, load_pages
from seer_bench.errors import StoreError

LARGEST = 4096
"""Bytes of a request's body."""
LONGEST = 500
"""Characters of a reason or note."""
_HEARTBEAT_S = 2.0
_MOST_STREAMS = 20
_COOKIE_S = 30 * 24 * 3600
_BY = "web/"
_ID = re.compile(r"[0-9a-f]{16,64}")


class Server:
    """The ASGI application of one session."""

    def __init__(
        self,
        session: Session,
        gate: Gate,
        *,
        cookie: str,
        on_stop: Callable[[str], None] | None = None,
        on_alive: Callable[[str], None] | None = None,
    ) -> None:
        """Serve a session.

        Args:
            session: whose keys are pressed.
            gate: who may press.
            cookie: name of the cookie of devices that were let in.
            on_stop: stops the robot; called with who pressed. None where there is none to stop.
            on_alive: told again and again that a page is open; None where nobody wants to know.
        """
        self._session = session
        self._gate = gate
        self._cookie = cookie
        self._on_stop = on_stop
        self._on_alive = on_alive
        self._pages: Pages = load_pages()
        self._campaign = session.campaign.genesis[:16]
        self._pressing = threading.Lock()
        by = (str(event.data.get("by", "")) for event in session.campaign.history().events)
        self._pressed = {name.removeprefix(_BY) for name in by if name.startswith(_BY)}
        self._streams: dict[asyncio.Event, None] = {}
        self._ending = False
        self.app = Starlette(
            routes=[
                Route("/", self._page),
                Route("/state", self._look),
                Route("/events", self._events),
                Route("/press", self._press, methods=["POST"]),
                Route("/stop", self._stop, methods=["POST"]),
                Route("/alive", self._alive, methods=["POST"]),
                Route(OPEN_PATH, self._enter, methods=["GET", "POST"]),
            ],
            middleware=[Middleware(Guard, gate=gate, cookie=cookie, policy=self._pages.policy)],
        )

    def wake(self) -> None:
        """Send the state to every page now; to be called in the event loop."""
        for stream in self._streams:
            stream.set()

    def end(self) -> None:
        """Let the streams end; to be called in the event loop."""
        self._ending = True
        self.wake()

    # --- looking -----------------------------------------------------------------------------------------

    def _state(self) -> dict[str, Any]:
        """What a page shows, and the number that its next press names."""
        number = self._session.number  # first: with a newer view it is refused, with an older one it would not be
        return {
            "campaign": self._campaign,
            "number": number,
            "robot": self._on_stop is not None,
            "watched": self._on_alive is not None,
            "view": self._session.view().to_json(),
        }

    async def _page(self, _: Request) -> Response:
        return HTMLResponse(self._pages.console)

    async def _look(self, _: Request) -> Response:
        return JSONResponse(await run_in_threadpool(self._state))

    async def _events(self, _: Request) -> Response:
        return StreamingResponse(self._stream(), media_type="text/event-stream")

    async def _stream(self) -> AsyncIterator[str]:
        """The state at every change, and every other second so that a lost connection is noticed."""
        changed = asyncio.Event()
        if len(self._streams) >= _MOST_STREAMS:  # most of them are of lines that broke unnoticed
            oldest = next(iter(self._streams))
            self._streams.pop(oldest)
            oldest.set()
        self._streams[changed] = None
        try:
            while not self._ending and changed in self._streams:
                changed.clear()
                yield f"data: {json.dumps(await run_in_threadpool(self._state))}\n\n"
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(changed.wait(), _HEARTBEAT_S)
        finally:
            self._streams.pop(changed, None)

    # --- pressing ----------------------------------------------------------------------------------------

    async def _press(self, request: Request) -> Response:
        try:
            tree = await _body(request)
            press = _checked(tree)
        except ValueError as error:
            return refuse(400, str(error))
        return await run_in_threadpool(self._press_once, **press)

    def _press_once(self, id: str, key: str, text: str, seen: int, campaign: str, trial: int | None) -> Response:
        """Press, unless the same press is in the log already."""
        with self._pressing:
            if campaign != self._campaign:
                words = "another campaign is played here now, nothing was recorded. Look again, then press."
                return JSONResponse({"error": words, "outdated": True, **self._state()}, 409)
            if id in self._pressed:
                return JSONResponse({**self._state(), "repeated": True})
            try:
                if trial is None:
                    self._session.press(key, text, by=f"{_BY}{id}", seen=seen)
                else:
                    self._session.void(text, trial=trial, by=f"{_BY}{id}", seen=seen)
            except OutdatedError as error:
                return JSONResponse({"error": str(error), "outdated": True, **self._state()}, 409)
            except PressError as error:
                return JSONResponse({"error": str(error), **self._state()}, 409)
            except StoreError as error:
                return JSONResponse({"error": str(error), "lost": True}, 507)
            self._pressed.add(id)
            return JSONResponse(self._state())

    async def _stop(self, _: Request) -> Response:
        if self._on_stop is None:
            return refuse(404, "no robot is attached.")
        await run_in_threadpool(self._on_stop, "web")
        return Response(status_code=204)

    async def _alive(self, _: Request) -> Response:
        if self._on_alive is not None:
            self._on_alive("web")
        return Response(status_code=204)

    # --- letting a device in -----------------------------------------------------------------------------

    async def _enter(self, request: Request) -> Response:
        if self._gate.token is None:
            return RedirectResponse("/", 303)
        if request.method != "POST":
            return HTMLResponse(self._pages.enter)
        try:
            token = (await _body(request)).get("token")
            value = await run_in_threadpool(self._gate.enter, str(token), client(request.scope))
        except ValueError as error:
            return refuse(400, str(error))
        except TooManyTriesError as error:
            return refuse(429, str(error))
        except StoreError as error:
            return refuse(507, str(error))
        if value is None:
            return refuse(401, "the link is of an earlier start; open the one that the console shows now.")
        answer = Response(status_code=204)
        answer.set_cookie(self._cookie, value, max_age=_COOKIE_S, httponly=True, samesite="strict")
        return answer


async def _body(request: Request) -> dict[str, Any]:
    """The JSON object of a request; raises ValueError for anything else, or anything large."""
    try:
        data = await asyncio.wait_for(_read(request), PATIENCE_S)
    except (ClientDisconnect, asyncio.TimeoutError) as error:
        raise ValueError("the request was not sent as a whole.") from error
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError("no JSON.") from error
    if not isinstance(tree, dict):
        raise ValueError("no JSON object.")
    return tree


async def _read(request: Request) -> bytes:
    """The body of a request; raises ValueError for a large one."""
    data = b""
    async for part in request.stream():
        data += part
        if len(data) > LARGEST:
            raise ValueError(f"more than {LARGEST} bytes.")
    return data


def _checked(tree: dict[str, Any]) -> dict[str, Any]:
    """A press with every field of its type; raises ValueError."""
    id, key, text, seen = (tree.get(name) for name in ("id", "key", "text", "seen"))
    campaign, trial = tree.get("campaign"), tree.get("trial")
    if not isinstance(id, str) or not _ID.fullmatch(id):
        raise ValueError("'id' must be 16 to 64 hexadecimal digits.")
    if not isinstance(key, str) or not key:
        raise ValueError("'key' must be a key.")
    if not isinstance(text, str) or len(text) > LONGEST:
        raise ValueError(f"'text' must be text of at most {LONGEST} characters.")
    if type(seen) is not int or not isinstance(campaign, str):
        raise ValueError("'seen' and 'campaign' must be those of the state that was seen.")
    if trial is not None and (type(trial) is not int or key != "v"):
        raise ValueError("'trial' is the number of an earlier trial, and goes with 'v'.")
    return {"id": id, "key": key, "text": text, "seen": seen, "campaign": campaign, "trial": trial}
