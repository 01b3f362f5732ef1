"""One session of a run: units are dealt out to workers, and every outcome is on the disk before it counts."""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seer_bench.contracts import Unit, UnitError, UnitResult
from seer_bench.engine.crew import SPAWN, Crew, Died, Event
from seer_bench.engine.facts import machine_facts
from seer_bench.engine.inference import Inference
from seer_bench.engine.interrupts import Interrupts
from seer_bench.engine.messages import Assignment, Broken, Finished, Requeued
from seer_bench.engine.request import Prepared, RunRequest, devices, prepare
from seer_bench.engine.seeding import derive_seed
from seer_bench.engine.shared import observation_arrays
from seer_bench.engine.worker import WorkerSpec
from seer_bench.monitor import Monitor
from seer_bench.protocol import EvaluationProtocol
from seer_bench.store import RunWriter

ATTEMPTS = 2
"""Tries that a session gives a unit whose infrastructure fails."""
STORM = 10
"""Failed attempts in a row, without one outcome between them, after which a session gives up."""
TICK = 0.2
"""Seconds after which the workers are looked at, whether they said something or not."""


@dataclass(frozen=True)
class RunOutcome:
    """How a session ended."""

    request: RunRequest
    protocol: EvaluationProtocol
    units: tuple[Unit, ...]
    """Asked for, in the order of the protocol."""
    results: tuple[UnitResult, ...]
    """Of all those that have a record now, in the same order."""
    interrupted: bool
    gave_up: str | None
    """Why the session stopped before its units were through; None where it did not."""

    @property
    def errors(self) -> int:
        """Units without an outcome because the infrastructure failed."""
        return sum(r.outcome == "error" for r in self.results)

    @property
    def played(self) -> str:
        """The units that have an outcome, as `select_units` reads them."""
        ids = {r.unit_id for r in self.results if r.outcome != "error"}
        return ",".join(str(unit.index) for unit in self.units if unit.id in ids)


def run(request: RunRequest, monitor: Monitor) -> RunOutcome:
    """Play every unit asked for that has no outcome yet; everything is checked before the first step.

    Ctrl-C and, where the caller handles it, SIGTERM abandon the units in flight and keep all others.

    Workers are spawned processes, which import the main script anew: a script calls this below
    `if __name__ == "__main__":`.

    Raises:
        UsageError: as `prepare`.
        AssetError: the simulator's assets are missing or altered.
        StoreError: the directory holds another run, is in use, or cannot be written.
    """
    prepared = prepare(request)
    request = prepared.request
    at_rest = True
    try:
        with (
            Interrupts() as interrupts,
            RunWriter.open(request.out, prepared.manifest, allow_mixed=request.allow_mixed) as writer,
        ):
            facts = {
                **machine_facts(),
                "benchmark": prepared.benchmark.facts(cameras=prepared.cameras),
                "units": len(prepared.units),
                "done": len(_outcomes(prepared.units, writer.recorded)),
                "workers": prepared.workers,
            }
            session = _Session(prepared, writer, writer.start_session(facts), monitor)
            at_rest = False
            try:
                session.play(interrupts)
            finally:
                at_rest = session.close()
            reason = "interrupted" if session.interrupted else session.gave_up or "finished"
            writer.end_session(session.id, reason=reason)
            recorded = tuple(writer.recorded[u.id] for u in prepared.units if u.id in writer.recorded)
    finally:
        if at_rest:
            for policy in prepared.policies:
                policy.close()
    return RunOutcome(request, prepared.protocol, prepared.units, recorded, session.interrupted, session.gave_up)


def _outcomes(units: Sequence[Unit], recorded: Mapping[str, UnitResult]) -> list[UnitResult]:
    """The recorded outcomes of these units."""
    return [recorded[unit.id] for unit in units if unit.id in recorded and recorded[unit.id].outcome != "error"]


class _Session:
    """Deals out units, records what comes back, tells the monitor."""

    def __init__(self, prepared: Prepared, writer: RunWriter, session: str, monitor: Monitor) -> None:
        self.id = session
        self.gave_up: str | None = None
        self.interrupted = False
        self._prepared, self._writer, self._monitor = prepared, writer, monitor
        recorded = writer.recorded
        self._have = _outcomes(prepared.units, recorded)
        done = {result.unit_id for result in self._have}
        missing = [unit for unit in prepared.units if unit.id not in done]
        # What has failed before comes last, so that it cannot keep the rest from being played.
        self._pending = deque(sorted(missing, key=lambda unit: unit.id in recorded))
        self._alone: set[str] = set()
        self._tries: Counter[str] = Counter()
        self._failures = 0
        in_main = prepared.policy.spec.placement == "main"
        count = max(1, min(prepared.workers, len(self._pending)))
        observations = observation_arrays(SPAWN, prepared.policy.spec.observations if in_main else {}, count)
        self._inferences = [
            Inference(
                policy,
                observations,
                workers=count,
                size=prepared.manifest.policy.batch,
                strict=not prepared.request.fast,
                threads=prepared.request.threads,
            )
            for policy in (prepared.policies if in_main else ())
        ]
        self._crew = Crew(
            self._worker_spec,
            self._inferences,
            observations,
            count,
            prepared.request.limits,
            threads=1 if in_main else prepared.request.threads,
        )

    def play(self, interrupts: Interrupts) -> None:
        """Play until every unit has an outcome or its last try, the failures come in a storm, or an interrupt comes."""
        self._monitor.started(self._prepared.protocol, len(self._prepared.units), self._have)
        for note in (*self._prepared.notes, *self._writer.problems):
            self._monitor.noted(note)
        try:
            while (self._pending or self._crew.playing) and self.gave_up is None:
                if interrupts.came:
                    self.interrupted = True
                    break
                self._deal_out()
                for event in self._crew.wait(TICK):
                    self._handle(event)
                self._monitor.stepped(self._crew.new_steps())
                self._look_at_policies()
        finally:
            self._monitor.closed()

    def close(self) -> bool:
        """Kill the workers and end the threads; False if a policy is still in a call, and must not be touched."""
        self._crew.close()
        ended = [inference.close() for inference in self._inferences]
        return all(ended)

    def _look_at_policies(self) -> None:
        """Give up when a policy will not answer any more."""
        for inference in self._inferences:
            self.gave_up = self.gave_up or inference.trouble(self._prepared.request.limits.policy)

    def _deal_out(self) -> None:
        """Give every idle worker a unit."""
        for index in self._crew.idle:
            if not self._pending:
                break
            unit = self._pending.popleft()
            attempt = self._writer.attempts(unit.id) + 1
            self._crew.assign(index, Assignment(unit, attempt, alone=unit.id in self._alone))
        self._monitor.busy({index: assignment.unit for index, assignment in self._crew.playing.items()})

    def _handle(self, event: Event) -> None:
        """Record how an assignment ended, and what follows from it."""
        unit, message = event.assignment.unit, event.message
        if isinstance(message, Finished):
            self._failures = 0
            result = message.played.result.with_run_info(**self._where(event))
            self._writer.append(result, message.played.actions)
            self._monitor.finished(result)
        elif isinstance(message, Requeued):
            self._alone.add(unit.id)
            self._pending.appendleft(unit)
        elif isinstance(message, Broken):
            self._fail(event, message.message, message.traceback)
        elif isinstance(message, Died):
            self._fail(event, message.how, None)

    def _fail(self, event: Event, how: str, trace: str | None) -> None:
        """Record a failed attempt; the unit is tried again, but not for ever."""
        unit = event.assignment.unit
        result = UnitResult(
            unit_id=unit.id,
            attempt=event.assignment.attempt,
            outcome="error",
            subtasks=(),
            seed=derive_seed(self._prepared.request.seed, unit.id),
            actions_out_of_range=0,
            actions_sha256=None,
            error=UnitError("infrastructure_error", how),
            run_info={**self._where(event), "traceback": trace},
        )
        self._writer.append(result, None)
        self._monitor.finished(result)
        self._tries[unit.id] += 1
        self._failures += 1
        if self._tries[unit.id] < ATTEMPTS:
            self._pending.append(unit)
        if self._failures >= STORM:
            self.gave_up = f"{STORM} attempts in a row failed, the last one because {how}"

    def _where(self, event: Event) -> dict[str, Any]:
        """Where and when (UNIX seconds) an attempt ended."""
        return {"session": self.id, "worker": event.worker, "finished": round(time.time(), 3)}

    def _worker_spec(self, index: int) -> WorkerSpec:
        """What worker `index` is made from."""
        prepared, request = self._prepared, self._prepared.request
        gpus = request.egl_devices
        return WorkerSpec(
            index=index,
            benchmark=request.benchmark,
            cameras="exact" if prepared.cameras else "off",
            backend=prepared.backend,
            run_seed=request.seed,
            policy=request.policy,
            context=prepared.context(devices(request.device)[0]),
            spec=prepared.policy.spec,
            parent=os.getpid(),
            egl_device=gpus[index % len(gpus)] if gpus else None,
        )
