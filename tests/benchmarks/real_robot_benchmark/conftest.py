"""A small campaign and a clock that a test moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from real_robot_benchmark.arms import make_arm
from real_robot_benchmark.campaign import Campaign, Choices
from real_robot_benchmark.session import Session
from tests.fakes.kitchen import TASKS, Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def task_file(tmp_path: Path) -> Path:
    path = tmp_path / "kitchen.yaml"
    path.write_text(TASKS)
    return path


@pytest.fixture
def planned(task_file: Path, tmp_path: Path) -> Callable[..., Campaign]:
    """Plan a campaign of two policies: 2 x 2 cases and 2 x 3 cases, 20 trials."""

    def make(name: str = "campaign", *, labels: tuple[str, ...] = ("seer", "mvp"), **options: Any) -> Campaign:
        seal = {key: options.pop(key) for key in ("blind", "passphrase") if key in options}
        choices = Choices(**{"trials": 2, "aggregation": "majority", **options})
        return Campaign.create(tmp_path / name, task_file, [make_arm(label) for label in labels], choices, **seal)

    return make


@pytest.fixture
def session(planned: Callable[..., Campaign], clock: Clock) -> Iterator[Session]:
    """A console on a fresh campaign whose policies are open."""
    with Session.open(planned().path, console="terminal", clock=clock) as opened:
        yield opened
