"""The benchmark's protocols, read from `data/protocols/`."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from seer_bench.errors import UnknownNameError
from seer_bench.protocol import EvaluationProtocol, load_protocols

DEFAULT_PROTOCOL = "calvin-abc-d/v1"

BACKENDS = ("own", "upstream")
"""Simulations that a protocol can be played on."""


@lru_cache(maxsize=1)
def all_protocols() -> dict[str, EvaluationProtocol]:
    """All protocols by name."""
    return load_protocols(Path(__file__).parent / "data" / "protocols")


def load_protocol(name: str) -> EvaluationProtocol:
    """The protocol of that name; raises UnknownNameError."""
    protocols = all_protocols()
    if name not in protocols:
        raise UnknownNameError("CALVIN protocol", name, protocols)
    return protocols[name]
