from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from seer_bench import CheckpointError, UnknownNameError, UsageError
from seer_policy.checkpoint import Checkpoint, Sizes
from seer_policy.options import SeerOptions, network_of
from seer_policy.variants import variant


def checkpoint(of: str, phase: str = "evaluate", **sizes: int) -> Checkpoint:
    """An open checkpoint of a variant's sizes, without tensors."""
    own = Sizes.of(variant(of).phase(phase).config)
    return Checkpoint(Path("33.pth"), {}, replace(own, **sizes), 33, None, 0)


def test_defaults_are_the_published_evaluation():
    assert SeerOptions.parse({}) == SeerOptions(None, None, "upstream", "bfloat16", None, False)


def test_every_option_is_read():
    given = {"variant": "real", "heads": "6", "quirks": "fixed", "vit": "float32", "batch": "8", "compile": "on"}
    assert SeerOptions.parse(given) == SeerOptions("real", 6, "fixed", "float32", 8, True)


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"head": "6"}, UnknownNameError, "'head'.*Did you mean 'heads'.*Known: batch, compile, heads, quirks, var"),
        ({"variant": "calvin-lage"}, UnknownNameError, "Did you mean 'calvin-large'"),
        ({"heads": "0"}, UsageError, "--policy-arg heads=0: give a whole number"),
        ({"batch": "two"}, UsageError, "--policy-arg batch=two"),
        ({"batch": "²"}, UsageError, "--policy-arg batch=²"),
        ({"quirks": "none"}, UsageError, "--policy-arg quirks=none: choose upstream or fixed"),
        ({"vit": "fp16"}, UsageError, "--policy-arg vit=fp16: choose bfloat16 or float32"),
        ({"compile": "yes"}, UsageError, "--policy-arg compile=yes: choose on or off"),
    ],
)
def test_a_wrong_option_is_refused_with_the_right_ones(given, error, words):
    with pytest.raises(error, match=words):
        SeerOptions.parse(given)


@pytest.mark.parametrize(
    ("benchmark", "name", "heads", "widths"),
    [("calvin", "calvin", 12, False), ("calvin", "calvin-large", 16, False), ("libero", "libero", 12, True)],
)
def test_the_published_variant_of_the_benchmark_is_found(benchmark, name, heads, widths):
    found, config = network_of(checkpoint(name), benchmark, SeerOptions())
    assert (found, config.heads, config.finger_widths) == (name, heads, widths)
    assert config == variant(name).phase("evaluate").config


def test_a_checkpoint_of_other_sizes_is_refused_with_what_it_has_and_what_to_do():
    with pytest.raises(CheckpointError) as refused:
        network_of(checkpoint("calvin", "pretrain"), "calvin", SeerOptions())
    for words in (
        "history 14, hidden_dim 384",
        "'calvin': history 14 (not 10)",
        "Its sizes are those of calvin (pretrain)",
        "--policy-arg variant=calvin",
        "--policy-arg heads=N",
        "seer-bench inspect 33.pth",
    ):
        assert words in str(refused.value)


def test_a_checkpoint_of_another_benchmark_is_refused():
    with pytest.raises(CheckpointError, match=r"none of the variants published for libero.*those of calvin \(fin"):
        network_of(checkpoint("calvin"), "libero", SeerOptions())


def test_a_named_variant_lends_heads_and_gripper_to_any_sizes():
    odd = checkpoint("calvin", history=5, layers=3, foresight_tokens=0, vision_width=64)
    name, config = network_of(odd, "libero", SeerOptions(variant="real"))
    assert name == "real"
    assert Sizes.of(config) == odd.sizes
    assert (config.heads, config.finger_widths) == (12, False)


def test_heads_must_be_known_and_divide():
    small = checkpoint("calvin", hidden_dim=96)
    with pytest.raises(UsageError, match=r"hidden_dim is 96 and not 384.*Add: --policy-arg heads=N"):
        network_of(small, "calvin", SeerOptions(variant="calvin"))
    with pytest.raises(UsageError, match="heads=7: does not divide the checkpoint's hidden_dim, 96"):
        network_of(small, "calvin", SeerOptions(variant="calvin", heads=7))
    _, config = network_of(small, "calvin", SeerOptions(variant="calvin", heads=4))
    assert (config.hidden_dim, config.heads) == (96, 4)


def test_calvin_has_no_finger_positions_to_read():
    with pytest.raises(UsageError, match=r"variant=libero: .*two finger positions.*calvin, calvin-large"):
        network_of(checkpoint("libero"), "calvin", SeerOptions(variant="libero"))
