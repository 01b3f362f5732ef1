from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from seer_bench.errors import CheckpointError
from seer_bench_nn.loading import compare, fault_in, fill, shapes, uninitialised

PATH = Path("33.pth")


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 3), nn.LayerNorm(3))


def test_all_differences_are_told_at_once() -> None:
    found = {"0.weight": torch.ones(4, 3), "1.weight": torch.ones(3), "1.bias": torch.ones(3), "2.bias": torch.ones(1)}
    differences = compare(found, shapes(network().state_dict()))
    assert differences.missing == ("0.bias",)
    assert differences.unexpected == ("2.bias",)
    assert differences.reshaped == (("0.weight", (4, 3), (3, 4)),)
    words = str(differences)
    assert "1 missing: 0.bias" in words
    assert "1 unexpected: 2.bias" in words
    assert "0.weight is 4x3, needed is 3x4" in words


def test_filling_casts_to_the_networks_precision_and_leaves_what_it_is_told_to() -> None:
    source, target = network(), network().to(torch.bfloat16)
    before = target[1].weight.clone()
    with torch.no_grad():
        target[1].weight.add_(before)
    weights = {name: tensor for name, tensor in source.state_dict().items() if name.startswith("0.")}
    fill(target, weights, PATH, leave=("1.",))
    assert target[0].weight.dtype == torch.bfloat16
    assert torch.equal(target[0].weight, source[0].weight.to(torch.bfloat16))
    assert torch.equal(target[1].weight, before + before)


def test_what_does_not_fit_is_refused_with_the_files_name() -> None:
    with pytest.raises(CheckpointError, match=r"33\.pth: does not fit the network: 1 missing: 1\.bias"):
        fill(network(), {k: v for k, v in network().state_dict().items() if k != "1.bias"}, PATH)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_numbers_that_are_not_finite_are_found(bad: float, dtype: torch.dtype) -> None:
    weights = network().to(dtype).state_dict()
    assert not any(map(fault_in, weights.values()))
    weights["0.weight"][1, 2] = bad
    assert fault_in(weights["0.weight"])
    with pytest.raises(CheckpointError, match=r"0\.weight holds NaN or infinite"):
        fill(network(), weights, PATH)


@pytest.mark.parametrize("dtype", [torch.int32, torch.bool, torch.complex64, torch.float8_e4m3fn])
def test_other_kinds_of_numbers_are_refused(dtype: torch.dtype) -> None:
    weights = network().state_dict() | {"0.bias": torch.ones(3).to(dtype)}
    with pytest.raises(CheckpointError, match=r"0\.bias holds \w+ instead of floating-point"):
        fill(network(), weights, PATH)


def test_an_uninitialised_network_draws_nothing_and_keeps_its_constants() -> None:
    before = torch.get_rng_state()
    with uninitialised():
        built = network()
        nn.init.xavier_uniform_(built[0].weight)
        nn.init.normal_(tensor=built[0].weight, std=0.02)
        torch.empty(4).normal_(std=0.02)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(built[1].weight, torch.ones(3))
    network()
    assert not torch.equal(before, torch.get_rng_state()), "a usual network draws"
