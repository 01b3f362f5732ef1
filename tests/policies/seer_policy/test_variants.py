"""The published variants and the shapes of a configuration."""

from __future__ import annotations

import pytest

from seer_bench import UnknownNameError, UsageError
from seer_policy.config import AttentionOptions, SeerConfig
from seer_policy.losses import FUTURE_STEPS
from seer_policy.variants import variant, variants


def test_every_variant_has_every_phase():
    assert list(variants()) == ["calvin", "calvin-large", "libero", "real"]
    assert [one.method for one in variants().values()] == ["Seer", "Seer-Large", "Seer", "Seer"]
    for known in variants().values():
        assert list(known.phases) == ["pretrain", "finetune", "scratch", "evaluate"]
        assert known.phase("evaluate").training is None


@pytest.mark.parametrize(
    ("name", "tokens", "history"), [("calvin", 37, 10), ("calvin-large", 71, 10), ("libero", 37, 7)]
)
def test_tokens_of_a_step_are_those_of_the_published_layout(name, tokens, history):
    config = variant(name).phase("evaluate").config
    assert (config.layout.per_step, config.history) == (tokens, history)


def test_phases_agree_where_weights_are_handed_on():
    for known in variants().values():
        phases = {name: phase.config for name, phase in known.phases.items()}
        assert phases["finetune"] == phases["scratch"] == phases["evaluate"]
        pretrain = phases["pretrain"]
        assert pretrain.history >= phases["finetune"].history
        assert pretrain.attention.goal_offset == FUTURE_STEPS + 1
        assert phases["finetune"].attention == AttentionOptions()


def test_windows_hold_the_targets():
    for known in variants().values():
        for phase in known.phases.values():
            if phase.training is not None:
                supervised = phase.config.history - phase.config.attention.goal_offset
                assert phase.training.window >= max(supervised + FUTURE_STEPS, phase.config.history)


def test_unknown_names_are_answered_with_the_known_ones():
    with pytest.raises(UnknownNameError, match="calvin-large"):
        variant("calvin-larg")
    with pytest.raises(UnknownNameError, match="evaluate"):
        variant("calvin").phase("eval")


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"hidden_dim": 100}, "hidden_dim"), ({"foresight_tokens": 8}, "foresight_tokens"), ({"history": 0}, "history")],
)
def test_shapes_that_cannot_be_built_are_refused(changes, named):
    with pytest.raises(UsageError, match=named):
        SeerConfig(**({"history": 3} | changes))
