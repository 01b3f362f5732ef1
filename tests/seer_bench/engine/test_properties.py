from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seer_bench import Limits, RunRequest, read_run, run
from seer_bench.store import canonical_lines, find_runs, merge_runs


class Silent:
    """A monitor that looks away."""

    def __getattr__(self, name):
        return lambda *_: None


fault = st.tuples(
    st.integers(0, 5), st.sampled_from(["begin", "advance"]), st.sampled_from(["raise", "SIGKILL", "exit"])
)
session = st.fixed_dictionaries(
    {
        "units": st.sampled_from([None, "0:3", "2:5", "5"]),
        "shard": st.sampled_from([None, (0, 2), (1, 2)]),
        "workers": st.integers(1, 3),
        "faults": st.lists(fault, max_size=3),
    }
)
history = st.fixed_dictionaries(
    {
        "batch": st.sampled_from(["1", "3"]),
        "placement": st.sampled_from(["main", "worker"]),
        "sessions": st.lists(session, min_size=1, max_size=2),
    }
)


def play(out: Path, options: dict[str, str], **changes: object) -> None:
    run(RunRequest("tally", "add", out, options=options, limits=Limits(silence=20), **changes), Silent())


def merged(folder: Path) -> list[str]:
    return canonical_lines(merge_runs([read_run(path) for path in find_runs([folder])]).results.values())


def check(story) -> None:
    """Whatever happened, what is recorded at the end is what an undisturbed run records."""
    options = {"batch": story["batch"], "placement": story["placement"]}
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder, faults = Path(name), Path(name) / "faults"
        faults.mkdir()
        patch.setitem(os.environ, "TALLY_FAULTS", str(faults))
        for part in story["sessions"]:
            for number, (unit, where, how) in enumerate(part["faults"]):
                (faults / f"{unit}.{where}.{how}.{number}").touch()
            out = folder / "r" / ("all" if part["shard"] is None else f"shard-{part['shard'][0]}")
            play(out, options, workers=part["workers"], units=part["units"], shard=part["shard"])
        for path in faults.iterdir():
            path.unlink()
        play(folder / "r" / "all", options, workers=2)
        play(folder / "whole", options, workers=1)
        assert merged(folder / "r") == merged(folder / "whole")
        assert len(merged(folder / "whole")) == 6


QUIET = settings(
    deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.usefixtures("tally")
@settings(QUIET, max_examples=4)
@given(history)
def test_no_interleaving_of_faults_and_restarts_reaches_the_records(story):
    check(story)


@pytest.mark.slow
@pytest.mark.usefixtures("tally")
@settings(QUIET, max_examples=100)
@given(history)
def test_no_interleaving_reaches_the_records_among_many(story):
    check(story)
