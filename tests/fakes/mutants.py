"""A small policy that keeps the contract, and ways to break it: one fault each."""

from __future__ import annotations

import random
import time
from collections import deque
from typing import ClassVar

import numpy as np
import torch

from seer_bench import ActionSpec, Foresight, ImageSpec, Policy, PolicySpec, VectorSpec

FIELDS = {"state": VectorSpec(3, "made up"), "camera": ImageSpec(8, 6)}
ACTION = ActionSpec("made up", 4, "none", None, None, None, 1)
WINDOW = 3
WEIGHTS = np.random.default_rng(7).normal(size=(3, 4)).astype(np.float32)


class Sound(Policy):
    """The mean of the newest states, mixed by its weights, with brightness, sentence and noise from the slot's seed."""

    dtype = np.float32

    def __init__(self, context, batch=4, chunk=2):
        self.spec = PolicySpec(FIELDS, ACTION, batch=batch, chunk=chunk)
        self.weights = WEIGHTS
        self.seen, self.rng, self.bias = {}, {}, {}

    def reset(self, slots, instructions, seeds):
        for slot, instruction, seed in zip(slots, instructions, seeds, strict=True):
            self.seen[slot] = deque(maxlen=WINDOW)
            self.rng[slot] = np.random.default_rng(seed)
            self.bias[slot] = sum(map(ord, instruction)) % 10

    def remember(self, slot, state):
        self.seen[slot].append(state.copy())

    def noise(self, slot):
        return self.rng[slot].normal(size=(self.spec.chunk, 4))

    def mean(self, slot):
        return np.mean(self.seen[slot], axis=0)

    def one(self, slot, state, camera):
        self.remember(slot, state)
        mean = self.mean(slot)
        mixed = (mean[:, None] * self.weights).sum(axis=0) + camera.mean() / 255 + self.bias[slot]
        return (mixed + 0.1 * self.noise(slot)).astype(self.dtype)

    def act(self, slots, observations):
        rows = zip(slots, observations["state"], observations["camera"], strict=True)
        return np.stack([self.one(slot, state, camera) for slot, state, camera in rows])


# --- sound ones that a careless checker would refuse ------------------------------------------------------


class Half(Sound):
    dtype = np.float16


class Single(Sound):
    def __init__(self, context):
        super().__init__(context, batch=1, chunk=1)


class Matmul(Sound):
    """A batched product, whose last bits depend on the number of rows."""

    def act(self, slots, observations):
        rng = np.random.default_rng(3)
        wide = rng.normal(size=(3 * 8 * 6, 512)).astype(np.float32)
        flat = observations["camera"].reshape(len(slots), -1).astype(np.float32) / 255
        return (np.tanh(flat @ wide) @ rng.normal(size=(512, 8)).astype(np.float32)).reshape(-1, 2, 4)


class TorchSampler(Sound):
    """A network whose first weights leave torch's state alone, and a generator a slot."""

    def __init__(self, context):
        super().__init__(context)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.network = torch.nn.Linear(3, 4)

    def reset(self, slots, instructions, seeds):
        super().reset(slots, instructions, seeds)
        self.rng.update({s: torch.Generator().manual_seed(seed) for s, seed in zip(slots, seeds, strict=True)})

    def one(self, slot, state, camera):
        with torch.inference_mode():
            out = self.network(torch.from_numpy(state).float()) + torch.randn(2, 4, generator=self.rng[slot])
        return out.numpy()


class Ensembling(Sound):
    """Averages its chunks over time, as ACT does."""

    def __init__(self, context):
        super().__init__(context, chunk=1)
        self.chunks = {}

    def reset(self, slots, instructions, seeds):
        super().reset(slots, instructions, seeds)
        self.chunks.update({slot: [] for slot in slots})

    def one(self, slot, state, camera):
        planned = np.outer(np.arange(5), state.sum() * np.ones(4))
        self.chunks[slot] = [chunk[1:] for chunk in self.chunks[slot] if len(chunk) > 1] + [planned]
        return np.mean([chunk[:1] for chunk in self.chunks[slot]], axis=0)


class UnitMemory(Sound):
    """Follows a pose through all subtasks of a unit."""

    def begin(self, slots, units):
        self.pose = getattr(self, "pose", {}) | dict.fromkeys(slots, 0.0)

    def one(self, slot, state, camera):
        self.pose[slot] += 0.01
        return super().one(slot, state, camera) + np.float32(self.pose[slot])


class Foresees(Sound):
    """Says what it expects to see."""

    def __init__(self, context):
        super().__init__(context)
        self.spec = PolicySpec(FIELDS, ACTION, batch=4, chunk=2, foresight=("camera",))

    def foresee(self, slot):
        return Foresight(3, {"camera": np.zeros((8, 6, 3), np.uint8)})


class ForeseesAndDraws(Foresees):
    def foresee(self, slot):
        self.rng[slot].normal()
        return super().foresee(slot)


SOUND = [Sound, Half, Single, TorchSampler, Ensembling, UnitMemory]


# --- one fault each --------------------------------------------------------------------------------------


def answer(change):
    """Change the answer of `act`."""

    class Altered(Sound):
        def act(self, slots, observations):
            return change(super().act(slots, observations))

    return Altered


class ListInsteadOfArray(Sound):
    def act(self, slots, observations):
        return super().act(slots, observations).tolist()


class FirstRowOnly(Sound):
    def act(self, slots, observations):
        return super().act(slots, observations)[:1]


class WandersInDtype(Sound):
    def one(self, slot, state, camera):
        found = super().one(slot, state, camera)
        return found.astype(np.float64) if len(self.seen[slot]) > 1 else found


class NanLater(Sound):
    def one(self, slot, state, camera):
        found = super().one(slot, state, camera)
        return found * np.nan if len(self.seen[slot]) == WINDOW else found


class NormalisesOverTheBatch(Sound):
    def act(self, slots, observations):
        found = super().act(slots, observations)
        return found - found.mean(axis=0, keepdims=True)


class ScaledByRows(Sound):
    def act(self, slots, observations):
        return super().act(slots, observations) / np.float32(len(slots))


class NoisePerPosition(Sound):
    def act(self, slots, observations):
        return super().act(slots, observations) + 0.1 * np.arange(len(slots), dtype=np.float32)[:, None, None]


class SortsItsSlots(Sound):
    def act(self, slots, observations):
        return super().act(sorted(slots), observations)


class MemoryByRow(Sound):
    def act(self, slots, observations):
        return super().act(range(len(slots)), observations)

    def reset(self, slots, instructions, seeds):
        super().reset(range(len(slots)), instructions, seeds)


class OneGeneratorForAll(Sound):
    def reset(self, slots, instructions, seeds):
        super().reset(slots, instructions, seeds)
        rng = np.random.default_rng(seeds[0])
        self.rng = dict.fromkeys([*self.rng, *slots], rng)


class ResetClearsEverybody(Sound):
    def reset(self, slots, instructions, seeds):
        for seen in self.seen.values():
            seen.clear()
        super().reset(slots, instructions, seeds)


class SeesTheSlotNumber(Sound):
    def one(self, slot, state, camera):
        return super().one(slot, state, camera) + np.float32(0.001 * slot)


class FewSlots(Sound):
    def __init__(self, context):
        super().__init__(context)
        self.table = np.zeros(self.spec.batch)

    def one(self, slot, state, camera):
        self.table[slot] = 1
        return super().one(slot, state, camera)


class KeepsHistory(Sound):
    def reset(self, slots, instructions, seeds):
        kept = dict(self.seen)
        super().reset(slots, instructions, seeds)
        self.seen.update({slot: kept[slot] for slot in slots if slot in kept})


class KeepsSentence(Sound):
    def reset(self, slots, instructions, seeds):
        kept = dict(self.bias)
        super().reset(slots, instructions, seeds)
        self.bias.update({slot: kept[slot] for slot in slots if slot in kept})


class KeepsGenerator(Sound):
    def reset(self, slots, instructions, seeds):
        kept = dict(self.rng)
        super().reset(slots, instructions, seeds)
        self.rng.update({slot: kept[slot] for slot in slots if slot in kept})


class ResetsTheFirstOnly(Sound):
    def reset(self, slots, instructions, seeds):
        for row, slot in enumerate(slots):
            if row == 0 or slot not in self.seen:
                super().reset([slot], instructions[row : row + 1], seeds[row : row + 1])


class ClearsAtUnitsOnly(KeepsHistory):
    """Forgets the history when a unit begins, and not between its subtasks."""

    def begin(self, slots, units):
        for slot in slots:
            self.seen.pop(slot, None)


class ForgetsHalf(Sound):
    """Clears a history only before it has slid."""

    def reset(self, slots, instructions, seeds):
        kept = dict(self.seen)
        super().reset(slots, instructions, seeds)
        self.seen.update({slot: kept[slot] for slot in slots if len(kept.get(slot, ())) == WINDOW})


class CountsEpisodes(Sound):
    episodes = 0

    def reset(self, slots, instructions, seeds):
        self.episodes += 1
        super().reset(slots, instructions, [seed - self.episodes for seed in seeds])


class OneSeedWhenBuilt(Sound):
    def __init__(self, context):
        super().__init__(context)
        self.only = np.random.default_rng(0)

    def noise(self, slot):
        return self.only.normal(size=(2, 4))


class Entropy(Sound):
    def reset(self, slots, instructions, seeds):
        super().reset(slots, instructions, [None] * len(slots))


class Clock(Sound):
    def one(self, slot, state, camera):
        return super().one(slot, state, camera) + np.float32(time.perf_counter() % 1)


class Identity(Sound):
    def __init__(self, context):
        super().__init__(context)
        self.weights = WEIGHTS + np.float32(id(self) % 1009)


class SeedsAsInt32(Sound):
    def reset(self, slots, instructions, seeds):
        super().reset(slots, instructions, [np.int32(seed) for seed in seeds])


class GlobalNumpy(Sound):
    def noise(self, slot):
        return np.random.normal(size=(2, 4))  # noqa: NPY002 - the fault


class GlobalPython(Sound):
    def noise(self, slot):
        return random.random()


class GlobalTorch(Sound):
    def noise(self, slot):
        return torch.randn(2, 4).numpy()


class SeedsTheWorld(Sound):
    def reset(self, slots, instructions, seeds):
        super().reset(slots, instructions, seeds)
        np.random.seed(seeds[0])  # noqa: NPY002 - the fault


class BorrowsGlobalState(Sound):
    """Reads the global state and puts it back, so that nobody sees it move."""

    def noise(self, slot):
        kept = np.random.get_state()  # noqa: NPY002 - the fault
        drawn = np.random.normal(size=(2, 4))  # noqa: NPY002 - the fault
        np.random.set_state(kept)  # noqa: NPY002 - the fault
        return drawn


class GlobalWeights(Sound):
    def __init__(self, context):
        super().__init__(context)
        kept = torch.get_rng_state()
        self.weights = torch.randn(3, 4).numpy()
        torch.set_rng_state(kept)


class SeedsWhenBuilt(Sound):
    def __init__(self, context):
        super().__init__(context)
        torch.manual_seed(0)


class SharedByTheClass(Sound):
    shared: ClassVar[dict] = {}

    def __init__(self, context):
        super().__init__(context)
        self.seen = SharedByTheClass.shared


class KeepsObservations(Sound):
    def remember(self, slot, state):
        self.seen[slot].append(state)


class WritesObservations(Sound):
    def one(self, slot, state, camera):
        state -= state.mean()
        return super().one(slot, state, camera)


class ReturnsItsBuffer(Sound):
    def act(self, slots, observations):
        found = super().act(slots, observations)
        if not hasattr(self, "buffer") or len(self.buffer) != len(found):
            self.buffer = np.empty_like(found)
        self.buffer[...] = found
        return self.buffer


class ReturnsItsMemory(Sound):
    """The smoothed action that it goes on from is the array that it hands out."""

    def __init__(self, context):
        super().__init__(context, batch=1)
        self.smooth = {}

    def reset(self, slots, instructions, seeds):
        super().reset(slots, instructions, seeds)
        self.smooth.update(dict.fromkeys(slots))

    def act(self, slots, observations):
        found, (slot,) = super().act(slots, observations), slots
        self.smooth[slot] = found if self.smooth[slot] is None else 0.5 * found + 0.5 * self.smooth[slot]
        return self.smooth[slot]


class ReturnsAnObservation(Sound):
    def __init__(self, context):
        super().__init__(context, batch=1, chunk=1)
        self.spec = PolicySpec({"pose": VectorSpec(4, "made up")}, ACTION)

    def act(self, slots, observations):
        return observations["pose"][:, None]


class SpecOfAddresses(Sound):
    def __init__(self, context):
        super().__init__(context)
        self.spec = PolicySpec(FIELDS, ACTION, batch=4, chunk=2, settings={"made by": repr(self)})


class SpecThatGrows(Sound):
    def act(self, slots, observations):
        self.spec.settings["calls"] = str(int(self.spec.settings.get("calls", "0")) + 1)
        return super().act(slots, observations)


class Layout(str):
    __slots__ = ()

    def __reduce__(self):
        raise TypeError("no way")


class SpecThatStays(Sound):
    def __init__(self, context):
        super().__init__(context)
        self.spec = PolicySpec({**FIELDS, "state": VectorSpec(3, Layout("made up"))}, ACTION, batch=4, chunk=2)


class FailsOnTheSecondSentence(Sound):
    def reset(self, slots, instructions, seeds):
        if any(slot in self.seen for slot in slots):
            raise RuntimeError("weights on fire")
        super().reset(slots, instructions, seeds)


class Quits(Sound):
    def one(self, slot, state, camera):
        raise SystemExit(3)


class FailsToClose(Sound):
    def close(self):
        raise RuntimeError("door stuck")


class GradientsInOneThread(TorchSampler):
    """Switches gradients off where it is built, which other threads do not see."""

    def __init__(self, context):
        super().__init__(context)
        torch.set_grad_enabled(False)

    def one(self, slot, state, camera):
        return (self.network(torch.from_numpy(state).float()) + torch.randn(2, 4, generator=self.rng[slot])).numpy()


FAULTY = {
    answer(lambda a: a[0]): "shape: act returned",
    answer(lambda a: a[:, :1]): "shape: act returned",
    answer(lambda a: a[..., :3]): "shape: act returned",
    answer(lambda a: a.astype(int)): "dtype: act returned int64",
    answer(lambda a: a.astype(object)): "dtype: act returned object",
    answer(lambda a: a + np.float32("nan")): "finite: ",
    ListInsteadOfArray: "shape: act returned list",
    FirstRowOnly: "shape: ",
    WandersInDtype: "dtype: act changed it",
    NanLater: "finite: .* step 2",
    NormalisesOverTheBatch: "batch=4: ",
    ScaledByRows: "batch=4: ",
    NoisePerPosition: "batch=4: ",
    SortsItsSlots: "batch=4: ",
    MemoryByRow: "slots: ",
    OneGeneratorForAll: "slots: ",
    ResetClearsEverybody: "slots: ",
    SeesTheSlotNumber: "slots: .* slot 11",
    FewSlots: "act: it failed .* IndexError",
    KeepsHistory: "reset: ",
    ForgetsHalf: "reset: ",
    ResetsTheFirstOnly: "batch=4: ",
    KeepsSentence: "reset: ",
    KeepsGenerator: "reset: ",
    CountsEpisodes: "reset: ",
    OneSeedWhenBuilt: "reset: ",
    Entropy: "determinism: ",
    Clock: "determinism: ",
    Identity: "determinism: ",
    SeedsAsInt32: "reset: it failed .* OverflowError",
    GlobalNumpy: "global random state: act changed that of numpy.random",
    GlobalPython: "global random state: act changed that of random",
    GlobalTorch: "global random state: act changed that of torch",
    SeedsTheWorld: "global random state: reset changed that of numpy.random",
    BorrowsGlobalState: "global random state: the actions depend",
    GlobalWeights: "determinism: ",
    SeedsWhenBuilt: "global random state: building it changed that of torch",
    SharedByTheClass: "instances: ",
    KeepsObservations: "observations: .* overwritten",
    WritesObservations: "observations: act changed 'state' in place",
    ReturnsItsBuffer: "actions: .* later call",
    ReturnsItsMemory: "actions: .* overwritten",
    ReturnsAnObservation: "observations: what act returned",
    SpecOfAddresses: "spec: two instances",
    SpecThatGrows: "spec: it changed",
    SpecThatStays: "spec: it cannot be pickled",
    FailsOnTheSecondSentence: "reset: it failed .* weights on fire",
    Quits: "act: it failed .* SystemExit",
    FailsToClose: "close: it failed",
    GradientsInOneThread: "thread: ",
}
"""Each with what the checker must say."""
