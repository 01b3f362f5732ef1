"""What `--policy-arg` may say to MT-ACT."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from seer_bench.errors import UnknownNameError, UsageError

_KEYS = ("minilm", "sentences", "batch")


@dataclass(frozen=True)
class MtactOptions:
    """`--policy-arg minilm=DIR` or `sentences=FILE`, and `batch=N`."""

    source: Literal["minilm", "sentences"]
    """Where sentence embeddings come from: MiniLM's published files, or a table of them."""
    path: Path
    """Of the folder (see `seer_bench_nn.minilm`) or of the table (see `sentences`)."""
    batch: int | None = None
    """Slots of one call; None: 16 on a GPU, 1 on the CPU."""

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> MtactOptions:
        """Read what the command line gives.

        Raises:
            UnknownNameError: there is no such option.
            UsageError: a value cannot be, or both or none of the sources of embeddings are given.
        """
        for key in given:
            if key not in _KEYS:
                raise UnknownNameError("option of the policy 'mtact'", key, _KEYS, "Give it as --policy-arg key=value.")
        batch = given.get("batch")
        if batch is not None and (not batch.isascii() or not batch.isdecimal() or int(batch) < 1):
            raise UsageError(f"--policy-arg batch={batch}: give a whole number of at least 1.")
        if ("minilm" in given) == ("sentences" in given):
            raise UsageError(
                "the policy 'mtact' takes sentence embeddings from one place: --policy-arg minilm=DIR (MiniLM's "
                "model.safetensors and vocab.txt) or --policy-arg sentences=FILE (a table made beforehand)."
            )
        source: Literal["minilm", "sentences"] = "minilm" if "minilm" in given else "sentences"
        return cls(source, Path(given[source]), None if batch is None else int(batch))
