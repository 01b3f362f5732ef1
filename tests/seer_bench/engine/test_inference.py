from __future__ import annotations

import multiprocessing
import threading

import numpy as np
import pytest

from seer_bench import ActionSpec, Policy, PolicySpec, Unit, VectorSpec
from seer_bench.engine.inference import Ask, Inference
from seer_bench.engine.shared import observation_arrays
from seer_bench.engine.worker import Question

FIELDS = {"total": VectorSpec(1, "sum")}
ACTION = ActionSpec("tally", 1, "none", None, None, None, 1)


class Diary(Policy):
    """Writes down its calls; fails in a slot that is played for more than `horizon` calls; `act` waits for `gate`."""

    def __init__(self, batch: int, horizon: int = 1000) -> None:
        self.spec = PolicySpec(FIELDS, ACTION, batch=batch)
        self.horizon, self.age, self.calls = horizon, {}, []
        self.gate = threading.Event()
        self.gate.set()

    def begin(self, slots, units):
        self.calls += [("begin", slot) for slot in slots]

    def reset(self, slots, instructions, seeds):
        assert all(instructions)
        self.calls += [("reset", slot) for slot in slots]
        self.age.update(dict.fromkeys(slots, 0))

    def act(self, slots, observations):
        assert self.gate.wait(10)
        self.calls += [("act", slot) for slot in slots]
        for slot in slots:
            self.age[slot] += 1
            if self.age[slot] > self.horizon:
                raise IndexError("beyond the longest subtask")
        return np.zeros((len(slots), 1, 1))


class Desk:
    """An `Inference` whose answers are collected."""

    def __init__(self, policy: Policy, workers: int = 2) -> None:
        arrays = observation_arrays(multiprocessing.get_context("spawn"), FIELDS, workers)
        self.replies, self.came = [], threading.Semaphore(0)
        self.inference = Inference(policy, arrays, size=policy.spec.batch, strict=True, answer=self.answer)

    def answer(self, worker, pipe, reply):
        self.replies.append((worker, reply))
        self.came.release()

    def put(self, worker: int, kind: str) -> None:
        unit = Unit("toy:unit=0", 0) if kind == "begin" else None
        self.inference.ask(Ask(worker, None, Question(kind, unit, "go", 1), alone=False))

    def ask(self, worker: int, *kinds: str):
        for kind in kinds:
            self.put(worker, kind)
            assert self.came.acquire(timeout=10)
        return self.replies[-1][1]


@pytest.fixture
def desk_of():
    desks = []

    def make(policy, workers=2):
        desks.append(Desk(policy, workers))
        return desks[-1]

    yield make
    for desk in desks:
        desk.inference.close()


def test_padding_rows_never_grow_older_than_real_ones(desk_of):
    desk = desk_of(Diary(batch=3, horizon=5))
    for _ in range(6):
        assert desk.ask(0, "begin", "reset", *["act"] * 5).fault is None
    assert "beyond" in desk.ask(0, "act").fault


def test_what_a_dead_worker_asked_is_over_before_its_successor_begins(desk_of):
    policy = Diary(batch=4)
    desk = desk_of(policy)
    for worker in (0, 1):
        desk.ask(worker, "begin", "reset")
    policy.gate.clear()
    policy.calls.clear()
    desk.put(1, "act")  # keeps the thread busy, or is the first of a batch with the rest
    for kind in ("act", "begin", "reset", "act"):
        desk.put(0, kind)
    policy.gate.set()
    for _ in range(5):
        assert desk.came.acquire(timeout=10)
    assert [kind for kind, slot in policy.calls if slot == 0] == ["act", "begin", "reset", "act"]


def test_a_call_that_does_not_return_is_noticed(desk_of):
    policy = Diary(batch=1)
    desk = desk_of(policy)
    desk.ask(0, "begin", "reset")
    policy.gate.clear()
    desk.put(0, "act")
    while desk.inference.trouble(0.05) is None:
        pass
    assert "has not returned" in desk.inference.trouble(0.05)
    policy.gate.set()
    assert desk.came.acquire(timeout=10)
    assert desk.inference.trouble(0.05) is None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_fails_is_noticed(desk_of):
    desk = desk_of(Diary(batch=1))
    desk.inference.ask(None.__class__)  # no question at all
    desk.inference._thread.join(10)
    assert "thread failed" in desk.inference.trouble(60)
