"""Folders with some of the recordings, to be altered."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seer_bench.verification import Verdict
from seer_policy.verify import SeerVerifier


class Folder:
    """A copy of some recordings."""

    def __init__(self, source: Path, path: Path, names: tuple[str, ...]) -> None:
        self.path = path
        self.index: dict[str, Any] = json.loads((source / "index.json").read_text())
        self.index["records"] = {name: self.index["records"][name] for name in names}
        for record in self.index["records"].values():
            for file in record["files"]:
                shutil.copyfile(source / file, path / file)
        self.write_index()

    def write_index(self) -> None:
        (self.path / "index.json").write_text(json.dumps(self.index))

    def verify(self) -> dict[str, Verdict]:
        """Verdict by record."""
        return {verdict.record: verdict for verdict in SeerVerifier().verify(self.path)}

    def alter_arrays(self, file: str, change: Callable[[dict[str, np.ndarray]], object]) -> None:
        """Rewrite an .npz file."""
        with np.load(self.path / file) as stored:
            arrays = dict(stored)
        change(arrays)
        np.savez(self.path / file, **arrays)

    def alter_facts(self, file: str, change: Callable[[dict[str, Any]], object]) -> None:
        """Rewrite a .json file."""
        facts = json.loads((self.path / file).read_text())
        change(facts)
        (self.path / file).write_text(json.dumps(facts))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Reduced networks are too small for several threads, which on a busy machine wait for one another."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def copied(shared: Path, tmp_path: Path) -> Callable[..., Folder]:
    """Copies the named records."""
    return lambda *names: Folder(shared / "golden" / "seer", tmp_path, names)
