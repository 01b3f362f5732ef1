"""A process that plays units for a number of seconds and says how many steps it took a second."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

import numpy as np

from seer_bench.contracts import Array, Policy, PolicyContext, Unit
from seer_bench.conventions import PolicySpec
from seer_bench.engine.faults import Leave, describe
from seer_bench.engine.process import blocked_interrupts, computing_threads, die_with, leave_interrupts
from seer_bench.engine.rollout import play
from seer_bench.errors import SimulationError
from seer_bench.registry import load_benchmark, load_policy

_CONTEXT = multiprocessing.get_context("spawn")
_START_S = 300.0
"""Seconds that the environments have to come up, and beyond the measurement to answer."""


@dataclass(frozen=True)
class Player:
    """What a measuring process is made from."""

    benchmark: str
    backend: str
    cameras: bool
    policy: str | None
    """Plugin that plays; None for zero actions."""
    context: PolicyContext
    spec: PolicySpec


def steps_per_second(player: Player, shares: Sequence[Sequence[Unit]], seconds: float) -> float:
    """Steps a second of one process for each share of the units, all of them together, measured at the same time.

    Raises:
        SimulationError: an environment failed, died or did not answer.
    """
    threads = player.context.threads if player.policy else 1
    pipes: list[Connection] = []
    processes: list[SpawnProcess] = []
    try:
        for units in shares:
            ours, theirs = _CONTEXT.Pipe()
            pipes.append(ours)
            # Blocked, so that Ctrl-C finds every process that was started in the list.
            with computing_threads(threads), blocked_interrupts():
                process = _CONTEXT.Process(target=_measure, args=(player, units, theirs, os.getpid()))
                process.start()
                processes.append(process)
            theirs.close()
        for pipe in pipes:
            _receive(pipe, _START_S)
        for pipe in pipes:
            pipe.send(seconds)
        return sum(_receive(pipe, seconds + _START_S) for pipe in pipes)
    finally:
        for process in processes:
            process.kill()
        for pipe in pipes:
            pipe.close()


class _ZeroPolicy(Policy):
    """Takes no time."""

    def __init__(self, spec: PolicySpec) -> None:
        self.spec = replace(spec, placement="main", batch=1)
        self._actions = np.zeros((1, spec.chunk, spec.action.dim))

    def reset(self, slots: Sequence[int], instructions: Sequence[str], seeds: Sequence[int]) -> None:
        """Nothing to forget."""

    def act(self, *_: object) -> Array:
        """Zeros."""
        return self._actions


class _Over(Leave):
    """The time of a measurement is up."""


def _measure(player: Player, units: Sequence[Unit], pipe: Connection, parent: int) -> None:
    """Body of a process: come up, wait for the start, play for so many seconds, and send steps a second."""
    die_with(parent)
    leave_interrupts()
    try:
        env = load_benchmark(player.benchmark).make_env(
            player.context.protocol, cameras="exact" if player.cameras else "off", backend=player.backend
        )
        policy = load_policy(player.policy, player.context) if player.policy else _ZeroPolicy(player.spec)
        env.begin(units[0])
        env.observe(player.spec.observations)
        pipe.send(0.0)
        seconds: float = pipe.recv()
        started, steps = time.perf_counter(), 0

        def tick() -> None:
            nonlocal steps
            steps += 1
            if time.perf_counter() - started >= seconds:
                raise _Over

        try:
            for unit in cycle(units):
                played = play(env, policy, unit, run_seed=0, tick=tick)
                if played.result.error is not None:
                    raise SimulationError(f"{unit.id}: {played.result.error.message}")
        except _Over:
            pipe.send(steps / (time.perf_counter() - started))
    except Exception as error:
        pipe.send(describe(error))


def _receive(pipe: Connection, patience: float) -> float:
    """A number from a measuring process."""
    try:
        if not pipe.poll(patience):
            raise SimulationError(f"an environment did not answer within {patience:.0f} s.")
        answer = pipe.recv()
    except (EOFError, OSError) as error:
        raise SimulationError("an environment's process died while it was measured.") from error
    if isinstance(answer, str):
        raise SimulationError(f"an environment failed while it was measured: {answer}")
    return float(answer)
