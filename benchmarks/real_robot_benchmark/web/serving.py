"""The web server in a thread beside the other console."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from types import TracebackType

from real_robot_benchmark.session import Session
from real_robot_benchmark.state import CampaignState
from real_robot_benchmark.web.access import Address, Gate, reachable_host
from seer_bench.errors import MissingExtraError, UsageError

_START_S = 30.0


class WebConsole:
    """Serves the page of a session; a context manager.

    Raises on entering:
        UsageError: the address cannot be served, e.g. because the port is taken.
        MissingExtraError: starlette or uvicorn is not installed.
    """

    url: str
    """The page, without the token."""
    link: str
    """What a device opens first; it holds the token, where there is one."""

    def __init__(
        self,
        session: Session,
        address: Address | None = None,
        *,
        on_stop: Callable[[str], None] | None = None,
        on_alive: Callable[[str], None] | None = None,
    ) -> None:
        """Make ready to serve.

        Args:
            session: whose keys are pressed; other consoles of this process may share it.
            address: the loopback address if not given; any other one needs a token.
            on_stop: stops the robot; called with "web", in a thread of the server.
            on_alive: called with "web" every half a second while a page is open.
        """
        self._session = session
        self._address = address or Address()
        self._on_stop = on_stop
        self._on_alive = on_alive
        self._thread: threading.Thread | None = None

    def __enter__(self) -> WebConsole:
        """Serve from now on."""
        try:
            import uvicorn

            from real_robot_benchmark.web.line import Line
            from real_robot_benchmark.web.server import Server
        except ModuleNotFoundError as error:
            raise MissingExtraError("the web page", error.name or "starlette", "real") from error
        listening = _listen(self._address)
        port = listening.getsockname()[1]
        gate = Gate(self._address, self._session.campaign.path)
        self.url = f"http://{reachable_host(self._address.host)}:{port}/"
        self.link = self.url if gate.token is None else f"{self.url}enter#{gate.token}"
        self._server = Server(
            self._session, gate, cookie=f"seer_bench_{port}", on_stop=self._on_stop, on_alive=self._on_alive
        )
        self._uvicorn = uvicorn.Server(
            uvicorn.Config(
                self._server.app,
                access_log=False,
                h11_max_incomplete_event_size=16384,
                http=Line,
                lifespan="off",
                log_config=None,
                log_level="error",
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=2,
                ws="none",
            )
        )
        started = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(listening, started)), name="web console", daemon=True
        )
        self._thread.start()
        if not started.wait(_START_S):
            raise UsageError(f"the page was not served within {_START_S:.0f} s; try again, or another --port.")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving."""
        self._uvicorn.should_exit = True
        if self._thread is not None:
            self._thread.join(10)

    async def _serve(self, listening: socket.socket, started: threading.Event) -> None:
        """Serve until told to end."""
        loop = asyncio.get_running_loop()

        def changed(_: CampaignState) -> None:
            loop.call_soon_threadsafe(self._server.wake)

        unsubscribe = self._session.subscribe(changed)
        serving = asyncio.create_task(self._uvicorn.serve(sockets=[listening]))
        try:
            while not self._uvicorn.should_exit and not serving.done():
                if self._uvicorn.started:
                    started.set()
                await asyncio.sleep(0.05)
        finally:
            unsubscribe()
            self._server.end()
            await serving


def _listen(address: Address) -> socket.socket:
    """Take the port; raises UsageError if it cannot be had."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        both = address.host == "::" and socket.has_dualstack_ipv6()
        return socket.create_server((address.host, address.port), family=family, backlog=64, dualstack_ipv6=both)
    except OSError as error:
        raise UsageError(
            f"{address.host}, port {address.port}: cannot be served: {error.strerror or error}. Choose another with: "
            "--port PORT, or --host 127.0.0.1"
        ) from error
