"""Methods whose model stays in its authors' own environment, behind a server."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from seer_bench.report.arms import Arm


@dataclass(frozen=True)
class Served:
    """How one method is played on one benchmark."""

    benchmark: str
    policy: str
    """The plugin that speaks to the server; also the extra that brings what it needs."""
    server: str
    """Path of the server's program, in this repository or in the method's."""
    url: str
    docs: str
    """Where it is described."""
    protocol: str
    """That of the method's published evaluation."""
    keys: str = ""
    """The fields that the server reads, as the option keys= takes them; "" for what the policy sends by itself."""
    apart: str = ""
    """Why the row stands beside the paper's and is not compared with it; "" where it is."""

    def hint(self, label: str, policies: Collection[str]) -> str:
        """What fills the row `label`, or stands beside it."""
        command = ["seer-bench", "run", self.benchmark, "--policy", self.policy, "--protocol", self.protocol]
        command += ["--policy-arg", f"url={self.url}"]
        command += ["--policy-arg", f"keys={self.keys}"] if self.keys else []
        first = "" if self.policy in policies else f"Install seer-bench[{self.policy}]. "
        return (
            f"{label}: not run. {first}Start {self.server} in the method's own environment ({self.docs}), then: "
            f"{shlex.join(command)}" + (f"; that is a row of its own: {self.apart}" if self.apart else "")
        )


_DEPTH = ",".join(
    f"{name}:{name}" for name in ("rgb_static", "rgb_gripper", "depth_static", "depth_gripper", "robot_obs")
)

SERVED: Mapping[str, Served] = MappingProxyType(
    {
        "RoboFlamingo": Served(
            "calvin",
            policy="remote",
            server="examples/servers/roboflamingo.py",
            url="ws://HOST:8001",
            docs="docs/servers.md",
            protocol="calvin-abc-d/seer-v1",
        ),
        "SuSIE": Served(
            "calvin",
            policy="remote",
            server="examples/servers/susie.py",
            url="ws://HOST:8002",
            docs="docs/servers.md",
            protocol="calvin-abc-d/seer-v1",
            keys="rgb_static:rgb_static",
        ),
        "3D Diffuser Actor": Served(
            "calvin",
            policy="remote",
            server="examples/servers/diffuser_actor.py",
            url="ws://HOST:8003",
            docs="docs/servers.md",
            protocol="calvin-abc-d/diffuser-actor-v1",
            keys=_DEPTH,
            apart="the published number allows 1,140 steps a subtask.",
        ),
        "OpenVLA": Served(
            "libero",
            policy="openvla",
            server="vla-scripts/deploy.py",
            url="http://HOST:8000",
            docs="docs/bridges.md",
            protocol="libero-long/openvla-v1",
            apart="OpenVLA's own evaluation has other rollouts and pictures than the paper's.",
        ),
    }
)
"""Method as tables call it -> how it is played; for hints alone."""


def stands_apart(arm: Arm, played: Iterable[tuple[str, str]]) -> bool:
    """Whether all that can be run for a row of the paper stands beside it: among (method, protocol) of `played`."""
    served = SERVED.get(arm.method)
    return served is not None and bool(served.apart) and (arm.method, served.protocol) in played
