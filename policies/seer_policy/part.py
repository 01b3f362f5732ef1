"""The common base of the parts that a Seer network is put together from."""

from __future__ import annotations

from torch import nn

from .config import SeerConfig


class SeerPart(nn.Module):
    """One part of the network, e.g. the input tokenizers.

    The published weights name every parameter without saying which part it belongs to. `model.Seer` therefore
    inherits from its parts instead of holding them, and the names come out as published. A part can also be built
    alone, from the same configuration.
    """

    def __init__(self, config: SeerConfig) -> None:
        super().__init__()
        self.config = config
