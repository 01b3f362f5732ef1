from __future__ import annotations

import pytest

from remote_policy import make_policy
from seer_bench import Interface, PolicyContext
from tests.fakes.tally_plugins import ACTION, FIELDS, protocol


@pytest.fixture
def connect(monkeypatch):
    """Connect to a port; what was connected is closed at the end."""
    made = []

    def open_one(port, **options):
        texts = {key: str(value) for key, value in {"wait": 20, "timeout": 20, **options}.items()}
        interface = Interface("tally", FIELDS, ACTION)
        made.append(
            make_policy(PolicyContext(interface, protocol(), options={"url": f"ws://127.0.0.1:{port}", **texts}))
        )
        return made[-1]

    monkeypatch.delenv("SEER_BENCH_REMOTE_TOKEN", raising=False)
    yield open_one
    for policy in made:
        policy.close()
