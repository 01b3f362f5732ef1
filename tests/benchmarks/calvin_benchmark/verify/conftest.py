"""Folders of CALVIN's recordings, whole and tampered with, and the command that verifies them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from calvin_benchmark.assets import ROOT_VARIABLE
from calvin_benchmark.verify import packaged_folder


@pytest.fixture
def embedded(copied: Callable[[Path], Any]) -> Any:
    """A copy of the packaged records of the embedded scene: no assets needed."""
    folder = copied(packaged_folder())
    return folder.keep(*(name for name in folder.index["records"] if name.startswith("embedded")))


@pytest.fixture
def upstream(copied: Callable[[Path], Any], golden: Path, official: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A copy of upstream's recordings, with the official assets at hand."""
    monkeypatch.setenv(ROOT_VARIABLE, str(official))
    return copied(golden)


@pytest.fixture
def verify(run_verify: Callable[..., tuple[int, str]]) -> Callable[..., tuple[int, str]]:
    """Run `seer-bench verify calvin`; exit code and output."""
    return partial(run_verify, "calvin")
