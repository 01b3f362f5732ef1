"""What `--policy-arg` and the environment say about the server."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from seer_bench import UsageError

URL_VARIABLE = "SEER_BENCH_REMOTE_URL"
TOKEN_VARIABLE = "SEER_BENCH_REMOTE_TOKEN"  # noqa: S105 - its name, not the token


@dataclass(frozen=True)
class RemoteOptions:
    """The options, checked."""

    url: str
    """Of the server. In the environment it is no part of the run's identity, so the server may move."""
    token: str | None = field(default=None, repr=False)
    """Of the environment alone: options are recorded."""
    timeout: float = 300.0
    """Seconds for one answer; the first may include compiling."""
    wait: float = 30.0
    """Seconds for which connecting, at first and again, is tried."""
    chunk: int | None = None
    """Actions of an answer that are executed; plain servers only."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """The server's name of a field -> the benchmark's; plain servers only."""
    resize: int | None = None
    """Side of the square that pictures are fitted into, as openpi's examples do; plain servers only."""
    name: str | None = None
    """What tables call the method; plain servers only."""

    @classmethod
    def parse(cls, options: Mapping[str, str], environment: Mapping[str, str] = os.environ) -> RemoteOptions:
        """Read the options; raises UsageError naming one that cannot be used."""
        known = ("url", "timeout", "wait", "chunk", "keys", "resize", "name")
        for key in options:
            if key not in known:
                raise UsageError(f"the policy 'remote' has no option '{key}'; it has: {', '.join(known)}.")
        url = options.get("url") or environment.get(URL_VARIABLE)
        if not url:
            raise UsageError(
                "the policy 'remote' needs the server's address: --policy-arg url=ws://HOST:PORT, or the variable "
                f"{URL_VARIABLE}."
            )
        read: dict[str, Any] = {"url": url if "://" in url else f"ws://{url}"}
        for key in ("timeout", "wait"):
            if key in options:
                read[key] = _seconds(key, options[key])
        for key in ("chunk", "resize"):
            if key in options:
                read[key] = _whole(key, options[key])
        if "keys" in options:
            read["keys"] = _pairs(options["keys"])
        return cls(**read, token=environment.get(TOKEN_VARIABLE) or None, name=options.get("name"))

    def plain_only(self) -> list[str]:
        """Names of the options given that only mean something for servers other than ours."""
        given = {"chunk": self.chunk, "keys": self.keys, "resize": self.resize, "name": self.name}
        return [key for key, value in given.items() if value]


def _seconds(key: str, text: str) -> float:
    """A positive number of seconds."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise UsageError(f"--policy-arg {key}={text}: write a number of seconds above 0.")
    return value


def _whole(key: str, text: str) -> int:
    """A whole number from 1."""
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise UsageError(f"--policy-arg {key}={text}: write a whole number from 1.")
    return int(text)


def _pairs(text: str) -> dict[str, str]:
    """Names from "theirs:ours,theirs:ours"."""
    pairs: dict[str, str] = {}
    for part in text.split(","):
        theirs, colon, ours = part.strip().rpartition(":")
        if not (theirs and colon and ours) or theirs in pairs:
            raise UsageError(
                f"--policy-arg keys={text}: '{part}' is no pair, or is there twice; write the server's name and the "
                "benchmark's, e.g. keys=observation/image:rgb_static,observation/state:robot_obs"
            )
        pairs[theirs] = ours
    return pairs
