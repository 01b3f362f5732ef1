"""The published variants of Seer, read from `variants.yaml`."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from seer_bench.errors import UnknownNameError

from .config import AttentionOptions, SeerConfig

_FILE = Path(__file__).with_name("variants.yaml")


@dataclass(frozen=True)
class TrainingRecipe:
    """How a phase was trained, beside what `training` and `losses` hold for all."""

    window: int
    """Steps of a training window."""
    learning_rate: float
    """Peak learning rate."""
    global_batch: int | None
    """Windows of one optimiser step, over all devices; None where the scripts leave it open."""
    epochs: int
    """Length of the run."""
    warmup_epochs: int
    """Epochs over which the learning rate rises."""
    pretrained_epoch: int | None = None
    """Epoch of the pre-training that the run starts from; None: from initial weights, or not stated."""
    reset_readout: bool = False
    """Whether the pre-trained [FRS] and [INV] tokens are reset to zero."""


@dataclass(frozen=True)
class Phase:
    """One use of a variant."""

    config: SeerConfig
    """The network and its attention mask."""
    training: TrainingRecipe | None
    """How it is trained; None for evaluation."""


@dataclass(frozen=True)
class Variant:
    """A published network in all its phases: pretrain, finetune, scratch, evaluate."""

    name: str
    """What it is called on the command line."""
    title: str
    """What it is called where variants are told apart."""
    method: str
    """What tables call it."""
    phases: Mapping[str, Phase]
    """Its uses by name."""

    def phase(self, name: str) -> Phase:
        """One of the phases.

        Raises:
            UnknownNameError: there is none of that name.
        """
        if name not in self.phases:
            raise UnknownNameError("Seer phase", name, self.phases)
        return self.phases[name]


def variants() -> Mapping[str, Variant]:
    """All published variants by name."""
    return MappingProxyType({name: _variant(name, entry) for name, entry in _entries().items()})


def variant(name: str) -> Variant:
    """The published variant of that name.

    Raises:
        UnknownNameError: there is none.
    """
    known = variants()
    if name not in known:
        raise UnknownNameError("Seer variant", name, known)
    return known[name]


@functools.cache
def _entries() -> dict[str, Any]:
    entries: dict[str, Any] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return entries


def _variant(name: str, entry: Mapping[str, Any]) -> Variant:
    phases = {key: _phase(entry["network"], phase) for key, phase in entry["phases"].items()}
    return Variant(name, entry["title"], entry["method"], MappingProxyType(phases))


def _phase(network: Mapping[str, Any], phase: Mapping[str, Any]) -> Phase:
    options = AttentionOptions(**phase.get("attention", {}))
    training = TrainingRecipe(**phase["training"]) if "training" in phase else None
    return Phase(SeerConfig(history=phase["history"], attention=options, **network), training)
