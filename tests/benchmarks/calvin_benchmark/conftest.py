"""Recordings of upstream and the official assets, for the tests that compare with them."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def golden(shared: Path) -> Path:
    """Folder of the recordings of upstream's simulator."""
    return shared / "golden" / "calvin"


@pytest.fixture(scope="session")
def official(shared: Path) -> Path:
    """Folder of the official scene files."""
    return shared / "calvin_assets"
