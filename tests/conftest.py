"""Fixtures that the whole suite shares."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser import CHROMIUM, Browser


@pytest.fixture(scope="session")
def shared() -> Path:
    """Recordings and assets beside the checkout; the test skips where they are absent."""
    path = Path(__file__).resolve().parents[2] / "shared"
    if not path.is_dir():
        pytest.skip(f"needs the recordings folder {path.name}/ beside the checkout")
    return path


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser for the tests of a module, apart from other pages; the test skips where there is none."""
    if CHROMIUM is None:
        pytest.skip("no Chromium; install it, e.g. with: apt-get install chromium")
    browser = Browser(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()


@pytest.fixture
def tally(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the plugins of `fakes/tally_plugins.py` as a distribution of their own, found by entry points."""
    site = tmp_path / "site"
    info = site / "tally_plugins-0.3.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tally-plugins\nVersion: 0.3\n")
    (info / "entry_points.txt").write_text(
        "[seer_bench.benchmarks]\ntally = tally_plugins:TallyBenchmark\n"
        "[seer_bench.policies]\nadd = tally_plugins:AddPolicy\nweighted = tally_plugins:WeightedPolicy\n"
    )
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "fakes"))
