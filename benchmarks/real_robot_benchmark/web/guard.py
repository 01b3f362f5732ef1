"""What stands before every request: the Host and Origin checks, the cookie, and the headers of every answer."""

from __future__ import annotations

from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from real_robot_benchmark.web.access import Gate, TooManyTriesError

OPEN_PATH = "/enter"
"""The only path for devices that were not let in; it holds nothing of the campaign."""

_HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Guard:
    """ASGI middleware: lets through what comes from this page in a device that was let in."""

    def __init__(self, app: ASGIApp, *, gate: Gate, cookie: str, policy: str) -> None:
        """Stand before `app`.

        Args:
            app: what is guarded.
            gate: who may enter.
            cookie: name of the cookie.
            policy: the Content-Security-Policy.
        """
        self._app = app
        self._gate = gate
        self._cookie = cookie
        self._headers = {**_HEADERS, "Content-Security-Policy": policy}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or refuse one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        await (self._refusal(scope) or self._app)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        """Why a request is not let through; None if it is."""
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._gate.knows_host(host):
            return refuse(421, "this address is not one of this machine.")
        if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            return refuse(403, "another page may not press keys here.")
        if scope["method"] not in ("GET", "HEAD") and headers.get("content-type") != "application/json":
            return refuse(415, "keys are pressed with JSON.")
        if scope["path"] == OPEN_PATH:
            return None
        try:
            if self._gate.admits(_cookie(headers.get("cookie", ""), self._cookie), client(scope)):
                return None
        except TooManyTriesError as error:
            return refuse(429, str(error))
        return refuse(401, "this device was not let in: open the link that the console at the robot shows.")


def refuse(status: int, words: str) -> JSONResponse:
    """An answer that says no, and why."""
    extra = {401: {"WWW-Authenticate": 'Token realm="seer-bench"'}, 429: {"Retry-After": "60"}}
    return JSONResponse({"error": words}, status, headers=extra.get(status))


def client(scope: Scope) -> str:
    """The address that a request comes from."""
    return str(scope["client"][0]) if scope.get("client") else ""


def _cookie(header: str, name: str) -> str | None:
    """One cookie of a header."""
    try:
        found = SimpleCookie(header).get(name)
    except CookieError:
        return None
    return found.value if found else None
