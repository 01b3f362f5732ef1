"""Fast inference against the straightforward forward pass, and what slots must not know of each other."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from seer_bench.errors import UsageError
from seer_policy.config import AttentionOptions, SeerConfig, TextConfig, VisionConfig
from seer_policy.fast import FastSeer
from seer_policy.model import Seer

TOLERANCE = 2e-6
"""Rounding alone; forgetting one frame of the history moves them by more than 2e-4."""
SMALL = {
    "plain": {},
    "no foresight": {"foresight_tokens": 0},
    "finger widths": {"finger_widths": True, "action_tokens": 3},
    "one step": {"history": 1},
    "isolated actions": {"attention": AttentionOptions(isolated_actions=True)},
}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """On a busy machine, small products take many times as long where threads wait for one another."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def small(**changes: object) -> Seer:
    sizes = {"history": 4, "hidden_dim": 32, "layers": 2, "heads": 4, "resampler_queries": 2, "foresight_tokens": 1}
    sizes |= {"action_tokens": 2, "vision": VisionConfig(16, 1, 2), "text": TextConfig(512, 1, 8)}
    torch.manual_seed(0)
    model = Seer(SeerConfig(**sizes | changes)).eval()
    for parameter in model.parameters():
        parameter.data.normal_(std=0.2)
    return model


@dataclass(frozen=True)
class Frames:
    """What one rollout sees."""

    sentence: Tensor
    primary: Tensor
    wrist: Tensor
    state: Tensor

    def padded(self, t: int, history: int) -> tuple[int, tuple[Tensor, ...]]:
        """The history at step t as the published code pads it, and the position of step t in it."""
        first = max(0, t + 1 - history)
        missing = history - (t + 1 - first)
        views = [
            torch.cat([x[first : t + 1], *[x[t : t + 1]] * missing]) for x in (self.primary, self.wrist, self.state)
        ]
        return t - first, tuple(view.unsqueeze(0) for view in views)


def frames(model: Seer, steps: int, seed: int = 1) -> Frames:
    generator = torch.Generator().manual_seed(seed)
    primary, wrist = torch.randn(2, steps, 3, 224, 224, generator=generator)
    state = torch.randn(steps, model.config.state_dim, generator=generator)
    return Frames(torch.randn(512, generator=generator), primary, wrist, state)


def play(fast: FastSeer, seen: Frames, steps: int, slot: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
    """One slot alone."""
    fast.reset(slot, seen.sentence)
    for t in range(steps):
        yield fast.step([slot], *(x[t : t + 1] for x in (seen.primary, seen.wrist, seen.state)))


@torch.inference_mode()
def assert_equals_forward(model: Seer, seen: Frames, steps: int, tolerance: float) -> None:
    wanted = max(1, model.config.action_tokens - 1)
    everything, some = FastSeer(model), FastSeer(model, actions=wanted)
    for t, (whole, part) in enumerate(zip(play(everything, seen, steps), play(some, seen, steps), strict=True)):
        newest, history = seen.padded(t, model.config.history)
        output = model(*history, seen.sentence.unsqueeze(0))
        for actions, predicted in zip(whole, (output.arm, output.gripper), strict=True):
            torch.testing.assert_close(actions, predicted[:, newest], atol=tolerance, rtol=0)
        for actions, predicted in zip(part, (output.arm, output.gripper), strict=True):
            torch.testing.assert_close(actions, predicted[:, newest, :wanted], atol=tolerance, rtol=0)
        foreseen = some.foresee(0)
        if output.images is None:
            assert foreseen is None
        else:
            torch.testing.assert_close(foreseen, output.images[0, newest], atol=3 * tolerance, rtol=0)


@pytest.mark.parametrize("name", ["tiny_ft", "tiny_ft_width", "tiny_noobs"])
def test_actions_and_foreseen_images_are_those_of_the_whole_network(golden, name):
    record = golden.record(name)
    model = record.model()
    steps = 2 * model.config.history + 3
    given = record.recipe.inputs(5, 1, steps)
    gripper = given["width"] if model.config.finger_widths else (given["gripper"] + 1) // 2
    arrays = (given["image_primary"], given["image_wrist"], np.concatenate([given["pose"], gripper], axis=-1))
    seen = Frames(*(torch.from_numpy(array)[0] for array in (given["text_feature"], *arrays)))
    assert_equals_forward(model, seen, steps, TOLERANCE)


@pytest.mark.parametrize("name", SMALL)
def test_every_kind_of_network_predicts_as_its_forward_pass_does(name):
    model = small(**SMALL[name])
    steps = 2 * model.config.history + 2
    assert_equals_forward(model, frames(model, steps), steps, TOLERANCE)


def test_the_tolerance_would_catch_a_forgotten_frame():
    model = small()
    seen = frames(model, 6)
    *_, (arm, _) = play(FastSeer(model), seen, 6)
    _, history = seen.padded(5, 3)
    shorter = [torch.cat([x[:, :1], x], dim=1) for x in history]  # the oldest frame is another one
    with torch.inference_mode():
        other = model(*shorter, seen.sentence.unsqueeze(0)).arm[:, 3]
    assert (arm - other).abs().max() > 2e-4


def test_the_vision_encoder_computes_in_the_precision_of_its_weights():
    model = small()
    seen = frames(model, 6)
    full = torch.cat([arm for arm, _ in play(FastSeer(model), seen, 6)])
    model.vision_encoder.bfloat16()
    rounded = torch.cat([arm for arm, _ in play(FastSeer(model), seen, 6)])
    assert rounded.dtype == torch.float32
    assert 0 < (full - rounded).abs().max() < 0.05
    assert_equals_forward(model, seen, 6, 5e-3)


def together(fast: FastSeer, rows: Sequence[tuple[int, Frames, int]]) -> dict[int, tuple[Tensor, Tensor]]:
    """One call for rows of (slot, what it sees, step): what comes out, by slot."""
    columns = ([getattr(seen, name)[t] for _, seen, t in rows] for name in ("primary", "wrist", "state"))
    arm, gripper = fast.step([slot for slot, _, _ in rows], *(torch.stack(column) for column in columns))
    return {slot: (arm[i], gripper[i]) for i, (slot, _, _) in enumerate(rows)}


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_a_slot_knows_nothing_of_the_others(precision):
    model = small()
    model.vision_encoder.to(precision)
    steps, mine = 2 * model.config.history + 2, frames(small(), 10)
    others = [frames(model, 10, seed) for seed in (2, 3)]

    def run(ages: tuple[int, int], order: Sequence[int], seen: Sequence[Frames]) -> list[tuple[Tensor, Tensor]]:
        """The slot's actions beside two others that are so many steps older, or begin so many steps later."""
        fast = FastSeer(model, actions=1)
        rollouts = [mine, *seen]
        for slot, rollout in enumerate(rollouts):
            fast.reset(slot, rollout.sentence)
        for t in range(max(ages)):
            together(fast, [(slot, rollouts[slot], t) for slot in (1, 2)])
        fast.reset(1, seen[0].sentence)
        taken = []
        for t in range(steps):
            for slot, age in zip((1, 2), ages, strict=True):
                if t == -age:
                    fast.reset(slot, rollouts[slot].sentence)
            rows = [(0, mine, t), (1, seen[0], t % 10), (2, seen[1], (t + 1) % 10)]
            taken.append(together(fast, [rows[i] for i in order])[0])
        return taken

    reference = run((0, 0), (0, 1, 2), others)
    for ages, order, seen in (
        ((0, 7), (0, 1, 2), others),  # one has a full history while this one fills
        ((-6, 3), (0, 2, 1), others[::-1]),  # one starts again while this one's is full
        ((-2, -5), (0, 1, 2), [others[1], others[1]]),
    ):
        for (arm, gripper), (wanted_arm, wanted_gripper) in zip(run(ages, order, seen), reference, strict=True):
            assert torch.equal(arm, wanted_arm)
            assert torch.equal(gripper, wanted_gripper)


def test_slots_in_one_call_get_what_they_get_alone():
    model = small()
    fast, rollouts = FastSeer(model), [frames(model, 9, seed) for seed in (1, 2, 3)]
    alone = [list(play(FastSeer(model), seen, 9)) for seen in rollouts]
    for slot, seen in enumerate(rollouts):
        fast.reset(slot, seen.sentence)
    for t in range(9):
        both = together(fast, [(slot, rollouts[slot], t) for slot in (2, 0, 1)])
        for slot in range(3):
            torch.testing.assert_close(both[slot][0], alone[slot][t][0][0], atol=TOLERANCE, rtol=0)


def test_the_same_frames_after_a_reset_give_the_same_bits():
    model = small()
    fast, seen = FastSeer(model), frames(model, 10)
    first = list(play(fast, seen, 10))
    second = list(play(fast, seen, 10))
    for (arm, gripper), (arm_again, gripper_again) in zip(first, second, strict=True):
        assert torch.equal(arm, arm_again)
        assert torch.equal(gripper, gripper_again)


def test_looking_at_the_foreseen_images_changes_no_action():
    model = small()
    seen, looking = frames(model, 10), FastSeer(model)
    for (arm, gripper), (looked_arm, looked_gripper) in zip(
        play(FastSeer(model), seen, 10), play(looking, seen, 10), strict=True
    ):
        assert torch.equal(arm, looked_arm)
        assert torch.equal(gripper, looked_gripper)
        assert torch.equal(looking.foresee(0), looking.foresee(0))


def test_nothing_is_computed_twice_or_in_vain():
    model = small()
    calls: list[tuple[str, int]] = []
    for name in ("vision_encoder", "clip_model", "image_decoder"):
        module = getattr(model, name)
        module.register_forward_pre_hook(lambda _, given, name=name: calls.append((name, len(given[0]))))
    fast, seen = FastSeer(model), frames(model, 6)
    features = [fast.sentence(text) for text in ("open the drawer", "close the drawer", "open the drawer")]
    assert calls == [("clip_model", 1)] * 2
    assert torch.equal(features[0], features[2])
    assert not torch.equal(features[0], features[1])

    calls.clear()
    for slot in (0, 1):
        fast.reset(slot, features[slot])
    for t in range(6):
        together(fast, [(0, seen, t), (1, seen, t)])
    assert calls == [("vision_encoder", 4)] * 6  # both cameras of both slots at once, and only the newest frame
    fast.foresee(1)
    assert calls[6:] == [("image_decoder", 2)]


def test_a_full_history_keeps_no_keys_and_values():
    model = small()
    fast, seen = FastSeer(model), frames(model, 5)
    config = model.config
    size = config.layers * 2 * config.history * config.layout.observed * config.hidden_dim

    def kept() -> int:
        gc.collect()
        return sum(type(thing) is Tensor and thing.numel() == size for thing in gc.get_objects())

    before = kept()
    for t, _ in enumerate(play(fast, seen, 5)):
        assert kept() - before == (1 if t < config.history - 1 else 0)


def test_a_network_that_looks_at_a_goal_ahead_is_refused():
    model = small(attention=AttentionOptions(goal_offset=1))
    with pytest.raises(UsageError, match=r"1 steps ahead .* evaluate"):
        FastSeer(model)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the compiler itself
def test_a_compiled_network_predicts_the_same():
    model = small()
    seen = frames(model, 7)
    for (arm, gripper), (compiled_arm, compiled_gripper) in zip(
        play(FastSeer(model), seen, 7), play(FastSeer(model, compile=True), seen, 7), strict=True
    ):
        torch.testing.assert_close(compiled_arm, arm, atol=5e-6, rtol=0)
        torch.testing.assert_close(compiled_gripper, gripper, atol=5e-6, rtol=0)
