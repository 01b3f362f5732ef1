"""Who may press keys in the page.

On the loopback address everybody who is logged in to this machine may; nobody else reaches it. An address of the
network needs a token: 128 random bits, new with every start, shown by the console as a link whose fragment (which no
browser sends and no server logs) holds it. A device exchanges it once for a cookie of its own. Hashes of the cookies
stay in the campaign, so that the phone goes on after the server was started anew.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from seer_bench.errors import UsageError
from seer_bench.store import write_atomic

DEVICES = "web-devices.json"
_MOST_DEVICES = 32
_WRONG, _WINDOW_S = 10, 60.0
"""So many wrong tokens or cookies in so many seconds, and an address waits."""


class TooManyTriesError(UsageError):
    """An address gave wrong tokens again and again."""


@dataclass(frozen=True)
class Address:
    """Where the page is served."""

    host: str = "127.0.0.1"
    port: int = 8765
    """0 for any that is free."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise UsageError(f"port {self.port} is none; name one from 1 to 65535.")

    @property
    def loopback(self) -> bool:
        """Nobody but this machine can reach it."""
        return _is_loopback(self.host)


class Gate:
    """Lets requests in, or not; any thread may ask."""

    token: str | None
    """What a new device shows; None on the loopback address, where nothing is asked for."""

    def __init__(self, address: Address, folder: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Draw a token where one is needed, and know the devices that were let in before.

        Args:
            address: where the page is served.
            folder: the campaign, which keeps hashes of the cookies.
            clock: seconds on a steady clock.
        """
        self._address = address
        self._file = folder / DEVICES
        self._clock = clock
        self.token = None if address.loopback else secrets.token_urlsafe(16)
        self._devices = [] if self.token is None else _read_devices(self._file)
        self._wrong: dict[str, list[float]] = {}

    def knows_host(self, header: str) -> bool:
        """Whether a Host header is one of this machine.

        A page from elsewhere that makes its own name point here (DNS rebinding) sends that name; so an address is
        taken as it is, and a name only if it is ours.
        """
        name = _without_port(header)
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            ours = {"localhost"} if self._address.loopback else _own_names() | {self._address.host.lower()}
            return name.lower().rstrip(".") in ours
        return address.is_loopback or not self._address.loopback

    def admits(self, cookie: str | None, client: str) -> bool:
        """Whether a device was let in.

        Raises:
            TooManyTriesError: this address showed wrong ones too often.
        """
        if self.token is None:
            return True
        if not cookie:
            return False
        digest = _digest(cookie)
        if any(hmac.compare_digest(digest, known) for known in self._devices):
            return True
        self._note_wrong(client)
        return False

    def enter(self, token: str, client: str) -> str | None:
        """The cookie of a new device, None for a wrong token.

        Raises:
            TooManyTriesError: this address gave wrong tokens too often.
            StoreError: the campaign's folder cannot be written.
        """
        self._refuse_guessing(client)
        if self.token is None or not hmac.compare_digest(_digest(token), _digest(self.token)):
            self._note_wrong(client)
            return None
        cookie = secrets.token_urlsafe(32)
        self._devices = [*self._devices, _digest(cookie)][-_MOST_DEVICES:]
        write_atomic(self._file, json.dumps({"sha256 of cookies": self._devices}, indent=2).encode() + b"\n")
        return cookie

    def _note_wrong(self, client: str) -> None:
        """Count a wrong token or cookie."""
        self._refuse_guessing(client)
        if len(self._wrong) > 1000:
            self._wrong.clear()
        self._wrong.setdefault(client, []).append(self._clock())

    def _refuse_guessing(self, client: str) -> None:
        """Make whoever guesses wait."""
        recent = [at for at in self._wrong.get(client, ()) if self._clock() - at < _WINDOW_S]
        if len(recent) >= _WRONG:
            raise TooManyTriesError(f"too many wrong tokens; wait {_WINDOW_S:.0f} s.")
        if recent:
            self._wrong[client] = recent
        else:
            self._wrong.pop(client, None)


def reachable_host(host: str) -> str:
    """The host to write in a link: this machine's own address in place of "all addresses"."""
    if host not in ("0.0.0.0", "::", ""):  # noqa: S104 - compared, not listened on
        return f"[{host}]" if ":" in host else host
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # of documentation (RFC 5737); asks for the route, sends nothing
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()


def _is_loopback(host: str) -> bool:
    """Whether a host is this machine only."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _without_port(header: str) -> str:
    """The host of "host:port" or "[address]:port"."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.rpartition(":")[0] if header.count(":") == 1 else header


def _own_names() -> set[str]:
    """What this machine is called."""
    name = socket.gethostname().lower()
    short = name.partition(".")[0]
    return {"localhost", name, short, f"{short}.local"}


def _digest(secret: str) -> str:
    """What is kept and compared in place of a secret."""
    return sha256(secret.encode()).hexdigest()


def _read_devices(file: Path) -> list[str]:
    """Hashes of the cookies of devices that were let in; none from a file that is missing or damaged."""
    try:
        found = json.loads(file.read_bytes())["sha256 of cookies"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [entry for entry in found if isinstance(entry, str)] if isinstance(found, list) else []
