from __future__ import annotations

import pytest
import torch

from seer_bench import UsageError
from seer_bench_nn.device import usable_device, usual_batch


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine with two."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


def test_the_cpu_is_always_there():
    assert usable_device("cpu", "net") == torch.device("cpu")


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "cuda:1"])
def test_a_gpu_that_is_there(two_gpus: None, name: str):
    assert usable_device(name, "net") == torch.device(name)


def test_a_gpu_beyond_the_last(two_gpus: None):
    with pytest.raises(UsageError, match=r"--device cuda:2: there are 2, counted from 0"):
        usable_device("cuda:2", "net")


def test_no_gpu_at_all(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="finds no GPU"):
        usable_device("cuda", "net")


@pytest.mark.parametrize("name", ["", "mps", "cpu:0", "cuda:", "cuda:x", "cuda:-1"])
def test_what_is_no_device_of_ours(two_gpus: None, name: str):
    with pytest.raises(UsageError, match=r"the policy .net. computes on cpu or cuda, e\.g\. cuda:1"):
        usable_device(name, "net")


def test_a_gpu_takes_several_slots_a_call():
    assert (usual_batch(torch.device("cpu")), usual_batch(torch.device("cuda", 1))) == (1, 16)
