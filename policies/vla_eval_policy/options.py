"""What `--policy-arg` may say to the policy `vla_eval`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from urllib.parse import urlsplit

from seer_bench import UnknownNameError, UsageError


@dataclass(frozen=True)
class VlaEvalOptions:
    """`--policy-arg key=value`; the fields are the keys."""

    url: str
    """Of the model server, e.g. "ws://127.0.0.1:8000"."""
    timeout: float = 60.0
    """Seconds to wait for an action."""
    patience: float = 10.0
    """Seconds to go on trying to connect."""
    batch: int = 1
    """Slots that are asked at once, so that a server with max_batch_size computes them together."""
    specs: str = "check"
    """"check" refuses a server that declares other actions than vla-eval's benchmark takes; "ignore" goes on, as
    vla-eval itself does."""

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> VlaEvalOptions:
        """Read what the command line gives.

        Raises:
            UnknownNameError: there is no such option.
            UsageError: the address is missing, or a value cannot be.
        """
        known = [field.name for field in fields(cls)]
        for key in given:
            if key not in known:
                raise UnknownNameError(
                    "option of the policy 'vla_eval'", key, known, "Give it as --policy-arg key=value."
                )
        if "url" not in given:
            raise UsageError(
                "the policy 'vla_eval' needs the address of a model server: --policy-arg url=ws://127.0.0.1:8000"
            )
        return cls(
            url=_address(given["url"]),
            timeout=_seconds("timeout", given.get("timeout", "60")),
            patience=_seconds("patience", given.get("patience", "10")),
            batch=_count("batch", given.get("batch", "1")),
            specs=_one_of("specs", given.get("specs", "check"), "check", "ignore"),
        )


def _address(text: str) -> str:
    """A websocket address."""
    try:
        parts = urlsplit(text)
        complete = parts.scheme in ("ws", "wss") and parts.hostname and (parts.port or True)
    except ValueError:  # a port that is no number
        complete = False
    if not complete:
        raise UsageError(f"--policy-arg url={text}: give ws://HOST:PORT or wss://HOST:PORT.")
    return text


def _seconds(key: str, text: str) -> float:
    """A time above 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise UsageError(f"--policy-arg {key}={text}: give a number of seconds above 0.")
    return value


def _count(key: str, text: str) -> int:
    """A number of at least 1."""
    if not (text.isascii() and text.isdecimal() and int(text) >= 1):
        raise UsageError(f"--policy-arg {key}={text}: give a whole number of at least 1.")
    return int(text)


def _one_of(key: str, text: str, *choices: str) -> str:
    """One of a few words."""
    if text not in choices:
        raise UsageError(f"--policy-arg {key}={text}: choose {' or '.join(choices)}.")
    return text
