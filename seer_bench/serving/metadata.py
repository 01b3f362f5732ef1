"""What a server says of its policy in its first frame, under the key "seer_bench" beside whatever openpi's hold."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from seer_bench.conventions import ActionSpec, FieldSpec, ImageSpec, PolicySpec, VectorSpec
from seer_bench.serving.codec import FrameError, pack

KEY = "seer_bench"
"""Of our part of metadata, observations and answers; other programs pass over it."""
VERSION = 1


@dataclass(frozen=True)
class ServedPolicy:
    """A policy behind a server that speaks our part of the protocol."""

    policy: str
    """Name of the plugin."""
    code: str
    """Distribution and version that it comes from."""
    checkpoint: str | None
    """sha256 of the checkpoint; None where there is none."""
    benchmark: str
    protocol: str
    options: Mapping[str, str]
    """That the policy was built with."""
    threads: int
    """That it computes with; the last bits of a product depend on them."""
    spec: PolicySpec
    instance: str
    """Of the server's process: another one remembers nothing of what went before."""

    def settings(self) -> dict[str, str]:
        """What the run's identity holds of it: everything that shapes actions, and not where it runs."""
        own = {
            "served.policy": self.policy,
            "served.code": self.code,
            "served.checkpoint": self.checkpoint or "none",
            "served.protocol": self.protocol,
            "served.threads": str(self.threads),
        }
        options = {f"served.option.{key}": value for key, value in self.options.items()}
        return {**self.spec.settings, **options, **own}


@dataclass(frozen=True)
class PlainServer:
    """Any other server of openpi's protocol: it declares little or nothing."""

    policy: str | None = None
    chunk: int | None = None
    episodes: bool = False
    """It wants to be told of episodes: the keys "episode_id", "reset" and "step" beside the observation."""
    settings: Mapping[str, str] = field(default_factory=dict)
    digest: str = ""
    """sha256 of the metadata."""


def metadata_of(served: ServedPolicy) -> dict[str, Any]:
    """The first frame of our server."""
    spec = served.spec
    about = {
        "version": VERSION,
        "sessions": True,
        "policy": served.policy,
        "code": served.code,
        "checkpoint": served.checkpoint,
        "benchmark": served.benchmark,
        "protocol": served.protocol,
        "options": dict(served.options),
        "threads": served.threads,
        "instance": served.instance,
        "observations": {name: _field_tree(field) for name, field in spec.observations.items()},
        "action": msgspec.to_builtins(spec.action),
        "chunk": spec.chunk,
        "batch": spec.batch,
        "settings": dict(spec.settings),
        "arm": dict(spec.arm),
    }
    return {KEY: about}


def read_metadata(tree: Any) -> ServedPolicy | PlainServer:
    """Understand a server's first frame.

    Raises:
        FrameError: it is no map, or our part of it is of another version or damaged.
    """
    if not isinstance(tree, dict):
        raise FrameError(f"the server's first frame is {type(tree).__name__}; metadata must be a map.")
    about = tree.get(KEY)
    if about is None:
        return PlainServer(digest=_digest(tree))
    if not isinstance(about, dict) or about.get("version") != VERSION:
        version = about.get("version") if isinstance(about, dict) else about
        raise FrameError(
            f"the server speaks version {str(version)[:50]} of seer-bench's part of the protocol, this is {VERSION}. "
            "Install the same seer-bench on both sides."
        )
    try:
        return _served(about) if about.get("sessions") else _plain(about, _digest(tree))
    except (KeyError, TypeError, AttributeError, msgspec.ValidationError) as error:
        raise FrameError(f"the server's metadata is damaged: {type(error).__name__}: {error}.") from error


def _served(about: dict[str, Any]) -> ServedPolicy:
    """One of ours."""
    text = {key: msgspec.convert(about[key], str) for key in ("policy", "code", "benchmark", "protocol", "instance")}
    spec = PolicySpec(
        observations={str(name): _field(tree) for name, tree in about["observations"].items()},
        action=msgspec.convert(about["action"], ActionSpec),
        chunk=msgspec.convert(about["chunk"], int),
        batch=msgspec.convert(about["batch"], int),
        settings=msgspec.convert(about["settings"], dict[str, str]),
        arm=msgspec.convert(about["arm"], dict[str, str]),
    )
    return ServedPolicy(
        checkpoint=msgspec.convert(about["checkpoint"], str | None),
        options=msgspec.convert(about["options"], dict[str, str]),
        threads=msgspec.convert(about["threads"], int),
        spec=spec,
        **text,
    )


def _plain(about: dict[str, Any], digest: str) -> PlainServer:
    """Somebody else's that says a little."""
    return PlainServer(
        policy=msgspec.convert(about.get("policy"), str | None),
        chunk=msgspec.convert(about.get("chunk"), int | None),
        episodes=msgspec.convert(about.get("episodes", False), bool),
        settings=msgspec.convert(about.get("settings", {}), dict[str, str]),
        digest=digest,
    )


def _field_tree(spec: FieldSpec) -> dict[str, Any]:
    """A field as maps, with its type."""
    kind = "image" if isinstance(spec, ImageSpec) else "vector"
    return {kind: msgspec.to_builtins(spec)}


def _field(tree: dict[str, Any]) -> FieldSpec:
    """The inverse of `_field_tree`."""
    if "image" in tree:
        return msgspec.convert(tree["image"], ImageSpec)
    return msgspec.convert(tree["vector"], VectorSpec)


def _digest(tree: dict[Any, Any]) -> str:
    """Which metadata this is."""
    return hashlib.sha256(pack(tree)).hexdigest()
