"""Faults that are put into our own code: a recording that does not show one proves nothing about it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from seer_bench_nn import gpt2, vit
from seer_bench_nn.ensembling import TemporalEnsemble
from seer_bench_nn.newest import SlotMemory
from seer_policy import encoder, losses, mask, newest, training
from seer_policy.calvin import CalvinWrapper
from seer_policy.libero import LiberoWrapper
from seer_policy.tokenizers import InputTokenizers
from seer_policy.verify import network

Patch = pytest.MonkeyPatch


def exact_gelu_in_gpt2(patch: Patch) -> None:
    patch.setattr(gpt2.Mlp, "forward", lambda self, x: self.c_proj(functional.gelu(self.c_fc(x))))


def approximate_gelu_in_vit(patch: Patch) -> None:
    patch.setattr(vit.Mlp, "forward", lambda self, x: self.fc2(functional.gelu(self.fc1(x), approximate="tanh")))


def keys_before_queries(patch: Patch) -> None:
    project = gpt2.MaskedSelfAttention.project
    patch.setattr(gpt2.MaskedSelfAttention, "project", lambda self, x: [project(self, x)[i] for i in (1, 0, 2)])


def causal_mask(patch: Patch) -> None:
    def causal(layout, steps, options, rng=None):
        return np.tri(steps * layout.per_step, dtype=bool)

    for module in (encoder, network):
        patch.setattr(module, "attention_mask", causal)


def actions_see_each_other(patch: Patch) -> None:
    given = mask.attention_mask

    def seeing(layout, steps, options, rng=None):
        whole = given(layout, steps, options, rng)
        whole[layout.action_slice.start, layout.action_slice.start] = True
        return whole

    for module in (encoder, network):
        patch.setattr(module, "attention_mask", seeing)


def open_from_above_one_on(patch: Patch) -> None:
    given = InputTokenizers.state_token

    def above(self, state):
        return given(self, torch.cat([state[..., :6], torch.where(state[..., 6:] > 1, 1.0, 0.0)], dim=-1))

    patch.setattr(InputTokenizers, "state_token", above)


def biased_variance(patch: Patch) -> None:
    def statistics(patches):
        variance, mean = torch.var_mean(patches, dim=-1, keepdim=True, correction=0)
        return mean, (variance + 1e-6).sqrt()

    patch.setattr(losses, "patch_statistics", statistics)


def learning_rate_off_by_a_hundredth(patch: Patch) -> None:
    given = training.make_optimizer
    patch.setattr("seer_policy.verify.networks.make_optimizer", lambda model, rate: given(model, 1.01 * rate))


def single_precision_actions(patch: Patch) -> None:
    given = CalvinWrapper.__init__

    def single(self, **options):
        given(self, **options)
        self._dtype = np.float32

    patch.setattr(CalvinWrapper, "__init__", single)


def gripper_inverted(patch: Patch) -> None:
    given = CalvinWrapper.act
    patch.setattr(CalvinWrapper, "act", lambda self, slots, arm, gripper: given(self, slots, arm, 1 - gripper))


def newest_first_in_ensemble(patch: Patch) -> None:
    given = TemporalEnsemble.__init__

    def reversed_weights(self, horizon, *rest, **options):
        given(self, horizon, *rest, **options)
        for count in range(1, horizon + 1):
            self._weights[count, :count] = self._weights[count, :count][::-1].copy()

    patch.setattr(TemporalEnsemble, "__init__", reversed_weights)


def command_not_fed_back(patch: Patch) -> None:
    given = LiberoWrapper.act

    def forgetful(self, slots, arm, gripper):
        actions = given(self, slots, arm, gripper)
        self._commands.update(dict.fromkeys(slots, -1.0))
        return actions

    patch.setattr(LiberoWrapper, "act", forgetful)


def bilinear_resize(patch: Patch) -> None:
    given = Image.Image.resize
    patch.setattr(Image.Image, "resize", lambda self, size, _: given(self, size, Image.Resampling.BILINEAR))


def stale_window(patch: Patch) -> None:
    given = SlotMemory._window
    patch.setattr(SlotMemory, "_window", lambda self, history: given(self, history)[[0, *range(self._length - 1)]])


def growing_step_at_wrong_position(patch: Patch) -> None:
    given = newest.NewestStep.grow

    def shifted(self, tokens, steps, *rest):
        return given(self, tokens, (steps + 1).clamp(max=self._steps - 1), *rest)

    patch.setattr(newest.NewestStep, "grow", shifted)


FAULTS: list[tuple[Callable[[Patch], None], str]] = [
    (exact_gelu_in_gpt2, "tiny_noobs"),
    (approximate_gelu_in_vit, "tiny_noobs"),
    (keys_before_queries, "tiny_noobs"),
    (causal_mask, "tiny_noobs"),
    (actions_see_each_other, "tiny_noobs"),
    (open_from_above_one_on, "tiny_noobs"),
    (biased_variance, "tiny_pre_prop"),
    (learning_rate_off_by_a_hundredth, "tiny_ft"),
    (single_precision_actions, "wrapper_calvin"),
    (gripper_inverted, "wrapper_calvin"),
    (newest_first_in_ensemble, "wrapper_libero_width"),
    (command_not_fed_back, "wrapper_libero_feedback"),
    (bilinear_resize, "image_preprocess"),
    (stale_window, "wrapper_calvin"),
    (growing_step_at_wrong_position, "tiny_noobs"),
]


@pytest.mark.parametrize(("fault", "record"), FAULTS, ids=[fault.__name__ for fault, _ in FAULTS])
def test_a_fault_in_the_code_is_a_miss(copied, monkeypatch, fault, record):
    folder = copied(record)
    fault(monkeypatch)
    assert folder.verify()[record].status == "different"
