"""Folders of recordings of an invented subject, and the way of their records to a verdict."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seer_bench.errors import AssetError, UsageError
from seer_bench.verification.compare import Comparison
from seer_bench.verification.recording import RecordError, Recording, read_index
from seer_bench.verification.records import verify_records
from seer_bench.verification.round_off import Bounds

BOUNDS = Bounds(onset=1e-9, grown=1e-3, pixel_share=0.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two records of numbers from 0 on, one of an unknown kind."""
    np.savez(tmp_path / "a.npz", x=np.arange(3.0), extra=np.zeros(1))
    np.savez(tmp_path / "b.npz", x=np.arange(3.0) + 1)
    records = {
        "first": {"kind": "numbers", "files": ["a.npz"], "width": 7},
        "second": {"kind": "numbers", "files": ["b.npz"]},
        "third": {"kind": "smells", "files": []},
    }
    _write(tmp_path, {"records": records})
    return tmp_path


def _write(folder: Path, more: dict[str, Any]) -> None:
    index = {"schema": "seer-bench/golden-index/1", "subject": "counting", **more}
    (folder / "index.json").write_text(json.dumps(index))


def _count(recording: Recording, comparison: Comparison) -> None:
    """Compare with 0, 1, 2."""
    comparison.expect(1)
    with comparison.unit("x"):
        comparison.numbers("x", recording.arrays["x"], np.arange(3.0))


def _verify(folder: Path, comparator=_count, **options):
    recordings = read_index(folder, "counting").recordings
    return verify_records(recordings, {"numbers": comparator}, BOUNDS, folder=folder, **options)


def test_every_record_gets_a_verdict(folder):
    first, second, third = _verify(folder)
    assert (first.status, first.detail) == ("identical", "not compared: extra")
    assert (second.status, second.detail) == ("different", "x: x differs from step 0 on, by 1 there")
    assert (third.status, third.detail) == ("skipped", "unknown kind; known: numbers")


def test_further_keys_are_settings(folder):
    assert [dict(r.settings) for r in read_index(folder, "counting").recordings] == [{"width": 7}, {}, {}]


def test_progress_is_told_by_record(folder):
    told: list[tuple[str, int, int]] = []
    list(_verify(folder, progress=lambda *report: told.append(report)))
    assert told == [("first", 0, 1), ("second", 0, 1)]


def test_a_fault_of_the_record_is_its_verdict_alone(folder):
    def broken(recording: Recording, comparison: Comparison) -> None:
        raise RecordError("no x")

    assert [(v.status, v.detail) for v in _verify(folder, broken)][:2] == [("different", "no x")] * 2


def test_a_fault_of_the_machine_ends_the_verification(folder):
    def broken(recording: Recording, comparison: Comparison) -> None:
        raise AssetError("no scene")

    with pytest.raises(AssetError, match="no scene"):
        list(_verify(folder, broken))


def test_nothing_compared_is_an_error_after_the_last_verdict(folder):
    verdicts = verify_records(read_index(folder, "counting").recordings, {}, BOUNDS, folder=folder)
    assert [next(verdicts).status for _ in range(3)] == ["skipped"] * 3
    with pytest.raises(UsageError, match="could be compared"):
        next(verdicts)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"subject": "smelling"}, "subject is 'smelling', expected 'counting'"),
        ({"records": []}, "'records' must be an object"),
        ({"records": {"a": {"kind": "x", "files": []}}, "images": "/img"}, "'/img' lies outside the folder"),
        ({"records": {"a": {"kind": "x", "files": ["../x"]}}}, "record 'a': '../x' lies outside the folder"),
    ],
)
def test_a_broken_index_is_refused(folder, more, message):
    _write(folder, more)
    with pytest.raises(UsageError, match=message):
        read_index(folder, "counting")


def test_a_record_names_one_file_of_each_sort(folder):
    _write(folder, {"records": {"a": {"kind": "numbers", "files": ["a.npz", "b.npz"]}}})
    (verdict,) = _verify(folder)
    assert (verdict.status, "must name one .npz file" in verdict.detail) == ("different", True)


def test_a_folder_may_be_about_one_of_several_subjects(folder):
    assert read_index(folder, "smelling", "counting").recordings
    with pytest.raises(UsageError, match="subject is 'counting', expected 'smelling' or 'tasting'"):
        read_index(folder, "smelling", "tasting")
