"""What `--policy-arg` and the environment say about the server."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from seer_bench import PolicyArgs, UsageError

URL_VARIABLE = "SEER_BENCH_REMOTE_URL"
TOKEN_VARIABLE = "SEER_BENCH_REMOTE_TOKEN"  # noqa: S105 - its name, not the token
INCIDENTAL = ("timeout", "wait")
"""Options that shape no action."""
PRESETS: Mapping[str, Mapping[str, str]] = {
    "openpi-libero": {
        "keys": "observation/image:rgb_agentview,observation/wrist_image:rgb_eye_in_hand,"
        "observation/state:eef_position+eef_axis_angle+gripper_qpos",
        "resize": "224",
        "chunk": "5",
    },
}
"""Options that belong together; "openpi-libero" as `examples/libero/main.py` of openpi has them."""


@dataclass(frozen=True)
class RemoteOptions:
    """The options, checked."""

    url: str
    """Of the server. No part of the run's identity where the server says who it is, or the environment gives it."""
    token: str | None = field(default=None, repr=False)
    """Of the environment alone: options are recorded."""
    timeout: float = 300.0
    """Seconds for one answer; the first may include compiling."""
    wait: float = 30.0
    """Seconds for which connecting, at first and again, is tried."""
    chunk: int | None = None
    """Actions of an answer that are executed; plain servers only, as all that follow."""
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The server's name of a field -> the benchmark's; several vectors are sent as one."""
    resize: int | None = None
    """Side of the square that RGB pictures are fitted into, as openpi's examples do."""
    name: str | None = None
    """What tables call the method."""

    @classmethod
    def parse(cls, options: Mapping[str, str]) -> RemoteOptions:
        """Read what the command line and the environment give.

        Raises:
            UnknownNameError: there is no such option.
            UsageError: the address is missing, or a value cannot be.
        """
        known = ("url", "timeout", "wait", "preset", "chunk", "keys", "resize", "name")
        args = PolicyArgs("remote", options, known)
        if "preset" in args:
            preset = PRESETS[args.choice("preset", "", PRESETS)]
            args = PolicyArgs("remote", {**preset, **options}, known)
        start = "Start one with: seer-bench serve"
        return cls(
            url=args.address("url", "ws", "wss", variable=URL_VARIABLE, start=start),
            token=os.environ.get(TOKEN_VARIABLE) or None,
            timeout=args.number("timeout", cls.timeout, "seconds"),
            wait=args.number("wait", cls.wait, "seconds"),
            chunk=args.whole("chunk", None),
            keys=_pairs(args.text("keys", "")),
            resize=args.whole("resize", None),
            name=args.text("name", None),
        )

    def plain_only(self) -> list[str]:
        """Names of the options given that only mean something for servers other than ours."""
        given = {"chunk": self.chunk, "keys": self.keys, "resize": self.resize, "name": self.name}
        return [key for key, value in given.items() if value]


def _pairs(text: str) -> dict[str, tuple[str, ...]]:
    """Names from "theirs:ours,theirs:ours+ours"."""
    pairs: dict[str, tuple[str, ...]] = {}
    for part in text.split(",") if text else ():
        theirs, _, ours = part.strip().rpartition(":")
        names = tuple(ours.split("+"))
        if not theirs or theirs in pairs or not all(names):
            raise UsageError(
                f"--policy-arg keys={text}: '{part}' is no pair, or is there twice; write the server's name and the "
                "benchmark's, e.g. keys=observation/image:rgb_static,observation/state:robot_obs"
            )
        pairs[theirs] = names
    return pairs
