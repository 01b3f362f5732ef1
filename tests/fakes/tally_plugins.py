"""A benchmark and a policy that need no simulator: an agent adds numbers until each of two targets is reached."""

from __future__ import annotations

import asyncio
import hashlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from seer_bench import (
    ActionSpec,
    CheckpointError,
    EvaluationProtocol,
    ImageSpec,
    Interface,
    InvalidActionError,
    Policy,
    PolicyArgs,
    PolicySpec,
    SimulationError,
    SimulatorState,
    StepResult,
    Subtask,
    Unit,
    VectorSpec,
)

ACTION = ActionSpec("tally", 2, "none", None, None, None, 1)
FIELDS = {"total": VectorSpec(1, "sum so far"), "picture": ImageSpec(4, 6)}


def protocol(name: str = "tally/v1", **settings: object) -> EvaluationProtocol:
    defaults = {"count": 6, "limit": 5, "chain": {"count": 6, "length": 2}}
    return EvaluationProtocol(name, "tally", "adding numbers", "table2", "yes", defaults | settings)


def strike(where: str, unit: int) -> None:
    """Fail once for every file `UNIT.WHERE.HOW.N` in the folder that TALLY_FAULTS names; the file is used up."""
    folder = os.environ.get("TALLY_FAULTS")
    for path in sorted(Path(folder).glob(f"{unit}.{where}.*")) if folder else ():
        try:
            path.unlink()
        except FileNotFoundError:
            continue  # another process was faster
        how = path.name.split(".")[2]
        if how == "raise":
            raise OSError("lost the context")
        if how in ("SIGKILL", "SIGSEGV"):
            os.kill(os.getpid(), signal.Signals[how])
        if how == "exit":
            os._exit(7)
        if how == "hang":
            time.sleep(3600)
        if how == "interrupt":
            raise KeyboardInterrupt  # which only an interpreter that winds up leaves behind
        if how == "orphan":
            if os.fork() == 0:  # a child that holds open whatever this process has
                time.sleep(30)
                os._exit(0)
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "leak":
            hoard = np.ones(200_000_000 // 8)
            time.sleep(3600 * hoard[0])


class TallyEnv:
    """Unit i asks for sums of i + 1 and then i + 2; every step costs one of `limit` tries."""

    renderer = "none"

    def __init__(self, spec: EvaluationProtocol) -> None:
        self.spec, self.closed = spec, False

    def begin(self, unit: Unit) -> Subtask:
        strike("begin", unit.index)
        self.index, self.total, self.steps, self.goal = unit.index, 0.0, 0, 0
        return self._subtask()

    def _subtask(self) -> Subtask:
        return Subtask(self.goal, f"sum_{self.goal}", f"reach {self.index + 1 + self.goal}")

    def advance(self, action: np.ndarray) -> StepResult:
        strike("advance", self.index)
        if not np.isfinite(action).all():
            raise InvalidActionError("not finite")
        self.total += float(action[0])
        self.steps += 1
        solved = self.total >= self.index + 1 + self.goal
        if not solved and self.steps < self.spec.settings["limit"]:
            return StepResult(False, False, None)
        self.steps, self.goal = 0, self.goal + 1
        return StepResult(solved, True, self._subtask() if solved and self.goal < 2 else None)

    def observe(self, fields: object) -> dict[str, np.ndarray]:
        total = self.total if "TALLY_MISSHAPEN" in os.environ else [self.total]
        everything = {"total": np.array(total), "picture": np.full((4, 6, 3), int(self.total), np.uint8)}
        return {name: everything[name] for name in fields}

    def state(self) -> SimulatorState:
        zero = np.zeros(3)
        return SimulatorState(f"sum_{self.goal}", {}, {"total": self.total}, zero, zero, zero, zero, 1.0, frozenset())

    def film(self, size: int) -> dict[str, np.ndarray]:
        return {"main": np.full((size, size, 3), min(255, int(20 * self.total)), np.uint8)}

    def close(self) -> None:
        self.closed = True


class TallyBenchmark:
    name = "tally"
    default_protocol = "tally/v1"

    def protocols(self) -> dict[str, EvaluationProtocol]:
        return {p.name: p for p in (protocol(), protocol("tally/v2", limit=9))}

    def backends(self) -> tuple[str, ...]:
        return ("own",)

    def interface(self, spec: EvaluationProtocol) -> Interface:
        return Interface(self.name, FIELDS, ACTION)

    def units(self, spec: EvaluationProtocol) -> list[Unit]:
        return [Unit(f"{spec.name}:unit={i}", i) for i in range(spec.settings["count"])]

    def make_env(self, spec: EvaluationProtocol, *, cameras: str, backend: str) -> TallyEnv:
        if folder := os.environ.get("TALLY_MADE"):
            (Path(folder) / f"{os.getpid()}.{time.monotonic_ns()}").touch()
        return TallyEnv(spec)

    def probe(self, spec: EvaluationProtocol, *, cameras: bool, backend: str) -> dict[str, str]:
        return {"physics": hashlib.sha256(b"tally").hexdigest()}

    def facts(self, *, cameras: bool) -> dict[str, str]:
        return {"tally": "1"}


class UnprintableError(RuntimeError):
    def __str__(self) -> str:
        raise ValueError("no text")


def fail(error: BaseException) -> None:
    raise error


def start_and_end(answer: np.ndarray) -> np.ndarray:
    """Use a program and a process, as a loader of data or a client of a server does."""
    program = subprocess.Popen(["sleep", "60"])
    program.terminate()
    program.wait(5)
    child = multiprocessing.get_context("fork").Process(target=int)
    child.start()
    child.join()
    return answer


def mumble(answer: np.ndarray) -> np.ndarray:
    sys.stdout.write("GARBAGE")
    sys.stdout.flush()
    os.write(1, b"GARBAGE")
    return answer


def wander(answer: np.ndarray) -> np.ndarray:
    os.chdir("/")
    return answer


def local_class(answer: np.ndarray) -> np.ndarray:
    class Local(np.ndarray):
        """Cannot be pickled."""

    return answer.view(Local)


VICES = {
    "cancelled": lambda _: fail(asyncio.CancelledError("gone")),
    "pretended Ctrl-C": lambda _: fail(KeyboardInterrupt()),
    "unprintable": lambda _: fail(UnprintableError()),
    "essay": lambda _: fail(RuntimeError("x" * 1_000_000)),
    "outage": lambda _: fail(SimulationError("the server is away")),
    "address": lambda _: fail(RuntimeError(f"bad {object()!r} at {time.time()}")),
    "children": start_and_end,
    "mumble": mumble,
    "threads": lambda answer: answer * int(os.environ["OMP_NUM_THREADS"]),
    "wander": wander,
    "subclass": local_class,
}


class WeightedPolicy(Policy):
    """Adds the number that its checkpoint holds; one with "wide" in its name wants another picture."""

    def __init__(self, context) -> None:
        if context.checkpoint is None:
            raise CheckpointError("weighted needs a checkpoint: --ckpt FILE")
        try:
            self.step = float(context.checkpoint.read_text())
        except ValueError:
            raise CheckpointError(f"{context.checkpoint}: holds no number.") from None
        fields = {"picture": ImageSpec(4, 60)} if "wide" in context.checkpoint.name else {"total": FIELDS["total"]}
        self.spec = PolicySpec(fields, ACTION, arm={"method": "Heavy" if self.step > 1 else "Light"})

    def reset(self, slots, instructions, seeds) -> None:
        pass

    def act(self, slots, observations) -> np.ndarray:
        return np.full((len(slots), 1, 2), self.step, dtype=np.float32)


class AddPolicy(Policy):
    """Adds the option `step` (1 by default); `fault` names a way to misbehave."""

    def __init__(self, context) -> None:
        PolicyArgs("add", context.options, ("step", "fault", "chunk", "batch", "placement"))
        self.step = float(context.options.get("step", "1"))
        self.fault = context.options.get("fault", "")
        self.spec = PolicySpec(
            {"total": FIELDS["total"]},
            ACTION,
            chunk=int(context.options.get("chunk", "1")),
            batch=int(context.options.get("batch", "1")),
            placement=context.options.get("placement", "main"),
        )
        self.calls: list[str] = []

    def begin(self, slots, units) -> None:
        self.calls.append(f"begin {units[0].slug}")

    def reset(self, slots, instructions, seeds) -> None:
        self.calls.append(f"reset {instructions[0]}")

    def act(self, slots, observations) -> np.ndarray:
        self.calls.append("act")
        answer = np.full((len(slots), self.spec.chunk, 2), self.step, dtype=np.float32)
        if self.fault == "neighbours":
            answer += observations["total"].sum() * 1e-3
        if self.fault == "nan":
            answer[0, 0, 1] = np.nan
        if self.fault == "shape":
            return answer[:, 0]
        if self.fault == "raise" or (self.fault == "raise late" and (observations["total"] == 2).any()):
            raise RuntimeError("weights on fire")
        if self.fault in VICES:
            return VICES[self.fault](answer)
        if self.fault == "hang":
            time.sleep(3600)
        if self.fault == "exit":
            raise SystemExit(3)
        if self.fault == "longdouble":
            return answer.astype(np.longdouble)
        if self.fault == "integers":
            return answer.astype(int)
        if self.fault == "dtype" and observations["total"][0, 0] > 0:
            return answer.astype(np.float64)
        return answer
