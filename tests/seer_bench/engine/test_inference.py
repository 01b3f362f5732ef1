from __future__ import annotations

import multiprocessing
import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from seer_bench import ActionSpec, Policy, PolicySpec, Unit, VectorSpec
from seer_bench.engine.channel import Channel, channel_pair
from seer_bench.engine.inference import Inference, Line
from seer_bench.engine.messages import Act, Actions, Begin, Fault, Outage, Requeue, Reset
from seer_bench.engine.shared import Vitals, observation_arrays
from seer_bench.errors import SimulationError

FIELDS = {"total": VectorSpec(1, "sum")}
ACTION = ActionSpec("tally", 1, "none", None, None, None, 1)
SPAWN = multiprocessing.get_context("spawn")
BEGIN, RESET, ACT = Begin(Unit("toy:unit=0", 0)), Reset("go", 1), Act(alone=False, state=None)


class Diary(Policy):
    """Writes down its calls; fails in a slot that is played for more than `horizon` calls; `act` waits for `gate`."""

    def __init__(self, batch: int, horizon: int = 1000, outage: Exception | None = None) -> None:
        self.spec = PolicySpec(FIELDS, ACTION, batch=batch)
        self.horizon, self.outage, self.age, self.calls = horizon, outage, {}, []
        self.gate, self.entered = threading.Event(), threading.Semaphore(0)
        self.gate.set()

    def begin(self, slots, units):
        self.calls += [("begin", slot) for slot in slots]

    def reset(self, slots, instructions, seeds):
        assert all(instructions)
        self.calls += [("reset", slot) for slot in slots]
        self.age.update(dict.fromkeys(slots, 0))

    def act(self, slots, observations):
        self.entered.release()
        assert self.gate.wait(10)
        self.calls += [("act", slot) for slot in slots]
        if self.outage is not None:
            raise self.outage
        for slot in slots:
            self.age[slot] += 1
            if self.age[slot] > self.horizon:
                raise IndexError("beyond the longest subtask")
        return np.zeros((len(slots), 1, 1))


class Desk:
    """An `Inference` and the workers' ends of its lines."""

    def __init__(self, policy: Policy, workers: int = 2) -> None:
        self.inference = Inference(
            policy,
            observation_arrays(SPAWN, FIELDS, workers),
            workers=workers,
            size=policy.spec.batch,
            strict=True,
            threads=1,
        )
        self.ends: dict[int, Channel] = {}
        self.vitals: dict[int, Vitals] = {}
        self.opened: list[Channel] = []

    def seat(self, worker: int) -> None:
        """A new worker takes its place."""
        ours, theirs = channel_pair(1.0)
        self.ends[worker], self.vitals[worker] = theirs, Vitals(SPAWN)
        self.opened.append(theirs)
        self.inference.adopt(Line(worker, ours, self.vitals[worker]))

    def put(self, worker: int, question: object) -> None:
        if worker not in self.ends:
            self.seat(worker)
        self.ends[worker].send(question)
        self.vitals[worker].asked()

    def ask(self, worker: int, *questions: object) -> object:
        for question in questions:
            self.put(worker, question)
            reply = self.ends[worker].receive()
        return reply


@pytest.fixture
def desk_of():
    desks = []

    def make(policy, workers=2):
        desks.append(Desk(policy, workers))
        return desks[-1]

    yield make
    for desk in desks:
        assert desk.inference.close()
        for end in desk.opened:
            end.close()


def test_padding_rows_never_grow_older_than_real_ones(desk_of):
    desk = desk_of(Diary(batch=3, horizon=5))
    for _ in range(6):
        assert isinstance(desk.ask(0, BEGIN, RESET, *[ACT] * 5), Actions)
    assert "beyond" in desk.ask(0, ACT).message


def test_what_a_dead_worker_asked_never_reaches_its_slot_after_its_successor_has_begun(desk_of):
    policy = Diary(batch=1)
    desk = desk_of(policy)
    for worker in (0, 1):
        desk.ask(worker, BEGIN, RESET)
    policy.gate.clear()
    desk.put(1, ACT)
    assert policy.entered.acquire(timeout=10)  # from here on the thread is busy
    desk.put(0, ACT)
    desk.seat(0)  # whoever asked is dead by now
    desk.put(0, BEGIN)
    policy.calls.clear()
    policy.gate.set()
    desk.ends[0].receive()
    assert isinstance(desk.ask(0, RESET, ACT), Actions)
    assert [kind for kind, slot in policy.calls if slot == 0] == ["begin", "reset", "act"]


def test_those_that_wait_share_a_call_but_for_the_one_that_is_to_be_alone(desk_of):
    policy = Diary(batch=3)
    desk = desk_of(policy, workers=4)
    for worker in range(4):
        desk.ask(worker, BEGIN, RESET)
    policy.gate.clear()
    desk.put(0, ACT)
    assert policy.entered.acquire(timeout=10)
    for worker in (1, 2, 3):
        desk.put(worker, Act(alone=worker == 2, state=None))
    policy.calls.clear()
    policy.gate.set()
    assert all(isinstance(desk.ends[worker].receive(), Actions) for worker in range(4))
    slots = [slot for kind, slot in policy.calls if kind == "act"]
    assert max(slots) == 4 + 3 - 2, "padding slots have the numbers after the workers'"
    batches = {frozenset(slot for slot in slots[i : i + 3] if slot < 4) for i in range(0, 9, 3)}
    assert batches == {frozenset({0}), frozenset({1, 3}), frozenset({2})}


def test_a_batch_that_fails_is_to_be_played_again_one_by_one(desk_of):
    policy = Diary(batch=2, horizon=0)
    desk = desk_of(policy, workers=3)
    for worker in range(3):
        desk.ask(worker, BEGIN, RESET)
    policy.gate.clear()
    desk.put(2, Act(alone=True, state=None))
    assert policy.entered.acquire(timeout=10)
    for worker in (0, 1):
        desk.put(worker, ACT)
    policy.gate.set()
    assert isinstance(desk.ends[2].receive(), Fault)
    assert all(isinstance(desk.ends[worker].receive(), Requeue) for worker in (0, 1))


@pytest.mark.parametrize(
    ("outage", "words"),
    [(SimulationError("no server"), "SimulationError: no server"), (MemoryError("all gone"), "MemoryError: all gone")],
)
def test_an_outage_of_the_policy_names_its_class_once(desk_of, outage, words):
    reply = desk_of(Diary(batch=1, outage=outage)).ask(0, BEGIN, RESET, ACT)
    assert isinstance(reply, Outage)
    assert reply.message == words
    assert "Traceback" in reply.traceback


def test_padding_rows_begin_anew_after_an_outage(desk_of):
    policy = Diary(batch=2)
    desk = desk_of(policy)
    assert isinstance(desk.ask(0, BEGIN, RESET, ACT, ACT, ACT), Actions)
    policy.outage = SimulationError("the server is away, and what it knew with it")
    assert isinstance(desk.ask(0, ACT), Outage)
    policy.outage = None
    policy.calls.clear()
    assert isinstance(desk.ask(0, BEGIN, RESET, ACT, ACT), Actions)
    assert [kind for kind, slot in policy.calls if slot == 2] == ["begin", "reset", "act", "act"]


def test_a_worker_that_stopped_in_the_middle_of_a_question_holds_nobody_up(desk_of):
    desk = desk_of(Diary(batch=1))
    desk.seat(1)
    desk.ends[1]._end.send(b"\xff\x00\x00\x00half")
    assert isinstance(desk.ask(0, BEGIN, RESET, ACT), Actions)
    assert not desk.vitals[1].waiting


def test_the_libraries_that_a_policy_computes_with_use_the_threads_that_were_asked_for(desk_of):
    class Counting(Diary):
        def act(self, slots, observations):
            self.threads = [library["num_threads"] for library in threadpool_info()]
            return super().act(slots, observations)

    policy = Counting(batch=1)
    desk_of(policy).ask(0, BEGIN, RESET, ACT)
    assert policy.threads
    assert set(policy.threads) == {1}


def test_who_waits_for_the_policy_is_not_silent(desk_of):
    policy = Diary(batch=1)
    desk = desk_of(policy)
    desk.ask(0, BEGIN, RESET)
    policy.gate.clear()
    desk.put(0, ACT)
    assert desk.vitals[0].waiting
    policy.gate.set()
    desk.ends[0].receive()
    assert not desk.vitals[0].waiting


def test_a_call_that_does_not_return_is_noticed(desk_of):
    policy = Diary(batch=1)
    desk = desk_of(policy)
    desk.ask(0, BEGIN, RESET)
    policy.gate.clear()
    desk.put(0, ACT)
    while desk.inference.trouble(0.05) is None:
        pass
    assert "has not returned" in desk.inference.trouble(0.05)
    policy.gate.set()
    desk.ends[0].receive()
    assert desk.inference.trouble(0.05) is None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_fails_is_noticed_and_cuts_its_lines(desk_of):
    desk = desk_of(Diary(batch=1))
    desk.put(0, "no question at all")
    with pytest.raises((EOFError, OSError)):
        desk.ends[0].receive()
    assert "thread failed" in desk.inference.trouble(60)
