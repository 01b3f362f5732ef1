from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seer_bench.contracts import Array, UnitResult
from seer_bench.errors import DamagedRecordError, StoreError
from seer_bench.store import actions_path, actions_sha256, check_unit_ids, read_actions
from seer_bench.store.actions import write_actions

MakeResult = Callable[..., UnitResult]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "actions").mkdir()
    return tmp_path


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("steps", [0, 1, 360])
def test_actions_come_back_in_their_dtype(run: Path, make_result: MakeResult, dtype: type, steps: int) -> None:
    actions = np.random.default_rng(0).uniform(-1, 1, (steps, 7)).astype(dtype)
    result = make_result(actions_sha256=actions_sha256(actions))
    write_actions(run, result, actions)
    back = read_actions(run, result)
    assert back.dtype == dtype
    assert np.array_equal(back, actions)
    assert [p.name for p in (run / "actions").iterdir()] == ["chain=0000.npy"]


def test_memory_order_does_not_matter(run: Path, make_result: MakeResult, actions: Array) -> None:
    turned = np.asfortranarray(actions)
    assert actions_sha256(turned) == actions_sha256(actions)
    result = make_result()
    write_actions(run, result, turned)
    assert np.array_equal(read_actions(run, result), actions)


def test_the_hash_sees_dtype_shape_and_bytes() -> None:
    zeros = np.zeros((2, 7), np.float32)
    others = [zeros.reshape(7, 2), zeros.astype(np.float16), zeros.view(np.int32), -zeros, zeros.astype(">f4")]
    assert len({actions_sha256(a) for a in [zeros, *others]}) == 6


@pytest.mark.parametrize("id", ["toy/v1:../../etc", "toy/v1:", "toy/v1:.hidden", "toy/v1:a b", "toy/v1"])
def test_a_unit_that_is_no_file_name_is_refused(id: str) -> None:
    with pytest.raises(StoreError, match="cannot be a file name"):
        actions_path(Path("run"), id)


def test_units_that_share_a_file_are_refused() -> None:
    check_unit_ids(f"toy/v1:chain={i}" for i in range(3))
    for pair in (("toy/v1:a=0:trial=1", "toy/v1:a=1:trial=1"), ("toy/v1:A", "toy/v1:a"), ("toy/v1:a", "toy/v1:a")):
        with pytest.raises(StoreError, match="both would keep their actions"):
            check_unit_ids(pair)


def test_actions_of_another_result_are_refused(run: Path, make_result: MakeResult, actions: Array) -> None:
    with pytest.raises(StoreError, match="the result says"):
        write_actions(run, make_result(), actions + 1)
    assert list((run / "actions").iterdir()) == []


@pytest.mark.parametrize("actions", [np.zeros(7), np.zeros((3, 7), int), np.array([[object()]])])
def test_only_floating_rows_are_kept(run: Path, make_result: MakeResult, actions: Array) -> None:
    with pytest.raises(StoreError, match="expected a floating dtype"):
        write_actions(run, make_result(), actions)


def test_an_error_has_no_actions(run: Path, make_result: MakeResult) -> None:
    with pytest.raises(StoreError, match="ended in an error"):
        read_actions(run, make_result(error=True))


def test_missing_actions_are_named(run: Path, make_result: MakeResult) -> None:
    with pytest.raises(StoreError, match=r"chain=0000\.npy: cannot be read: No such file"):
        read_actions(run, make_result())


def test_replaced_actions_are_noticed(run: Path, make_result: MakeResult, actions: Array) -> None:
    result = make_result()
    other = replace(result, actions_sha256=actions_sha256(actions + 1))
    write_actions(run, other, actions + 1)
    with pytest.raises(DamagedRecordError) as refused:
        read_actions(run, result)
    for words in ("chain=0000.npy", str(result.actions_sha256), str(other.actions_sha256)):
        assert words in str(refused.value)


def test_a_pickle_is_never_opened(run: Path, make_result: MakeResult) -> None:
    np.save(actions_path(run, make_result().unit_id), np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DamagedRecordError, match="no readable array"):
        read_actions(run, make_result())


@given(data=st.data())
def test_any_damage_is_noticed(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    run = tmp_path_factory.mktemp("run")
    (run / "actions").mkdir()
    actions = np.linspace(-1, 1, 14).reshape(2, 7)
    result = UnitResult("toy/v1:chain=1", 1, "failure", (), 0, 0, actions_sha256(actions))
    write_actions(run, result, actions)
    path = actions_path(run, result.unit_id)
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        path.write_bytes(whole[:at])
    else:
        path.write_bytes(whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :])
    with contextlib.suppress(DamagedRecordError):
        # It is read only where the damage hit bytes without meaning, such as the header's padding.
        assert read_actions(run, result).tobytes() == actions.tobytes()
