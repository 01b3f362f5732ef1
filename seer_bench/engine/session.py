"""One session of a run: units are dealt out to workers, and every outcome is on the disk before it counts."""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from dataclasses import dataclass
from typing import Any

from seer_bench.contracts import UnitError, UnitResult
from seer_bench.engine.crew import Crew, Died, Event
from seer_bench.engine.facts import machine_facts
from seer_bench.engine.inference import Ask, Inference
from seer_bench.engine.request import Prepared, RunRequest, devices, prepare
from seer_bench.engine.seeding import derive_seed
from seer_bench.engine.worker import Broken, Finished, Question, Requeued, WorkerSpec
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
    total: int
    """Units asked for."""
    results: tuple[UnitResult, ...]
    """All of those that have a record now, in the order of the protocol."""
    interrupted: bool
    gave_up: str | None
    """Why the session stopped before its units were through; None where it did not."""

    @property
    def errors(self) -> int:
        """Units without an outcome because the infrastructure failed."""
        return sum(r.outcome == "error" for r in self.results)


def run(request: RunRequest, monitor: Monitor) -> RunOutcome:
    """Play every unit asked for that has no outcome yet; everything is checked before the first step.

    Ctrl-C abandons the units in flight and keeps all others.

    Raises:
        UsageError: as `prepare`.
        AssetError: the simulator's assets are missing or altered.
        StoreError: the directory holds another run, is in use, or cannot be written.
    """
    prepared = prepare(request)
    at_rest = True
    try:
        with RunWriter.open(request.out, prepared.manifest, allow_mixed=request.allow_mixed) as writer:
            facts = {
                **machine_facts(),
                "benchmark": prepared.benchmark.facts(cameras=prepared.cameras),
                "units": len(prepared.units),
                "workers": prepared.workers,
            }
            session = _Session(prepared, writer, writer.start_session(facts), monitor)
            interrupted = False
            try:
                session.play()
            except KeyboardInterrupt:
                interrupted = True
            finally:
                at_rest = session.close()
            writer.end_session(session.id, reason="interrupted" if interrupted else session.gave_up or "finished")
            recorded = tuple(writer.recorded[u.id] for u in prepared.units if u.id in writer.recorded)
    finally:
        if at_rest:
            for policy in prepared.policies:
                policy.close()
    return RunOutcome(
        request, prepared.protocol, len(prepared.units), recorded, interrupted, None if interrupted else session.gave_up
    )


class _Session:
    """Deals out units, records what comes back, tells the monitor."""

    def __init__(self, prepared: Prepared, writer: RunWriter, session: str, monitor: Monitor) -> None:
        self.id = session
        self.gave_up: str | None = None
        self._prepared, self._writer, self._monitor = prepared, writer, monitor
        recorded = writer.recorded
        self._have = [recorded[u.id] for u in prepared.units if u.id in recorded and recorded[u.id].outcome != "error"]
        done = {result.unit_id for result in self._have}
        self._pending = deque(unit for unit in prepared.units if unit.id not in done)
        self._alone: set[str] = set()
        self._tries: Counter[str] = Counter()
        self._failures = 0
        in_main = prepared.policy.spec.placement == "main"
        self._crew = Crew(
            self._worker_spec,
            prepared.policy.spec.observations if in_main else {},
            max(1, min(prepared.workers, len(self._pending))),
            prepared.request.limits,
        )
        self._inferences = [
            Inference(
                policy,
                self._crew.observations,
                size=prepared.manifest.policy.batch,
                strict=not prepared.request.fast,
                answer=self._crew.answer,
            )
            for policy in (prepared.policies if in_main else ())
        ]

    def play(self) -> None:
        """Play until every unit has an outcome or its last try, or the failures come in a storm."""
        self._monitor.started(self._prepared.protocol, len(self._prepared.units), self._have)
        for note in (*self._prepared.notes, *self._writer.problems):
            self._monitor.noted(note)
        try:
            while (self._pending or self._crew.playing) and self.gave_up is None:
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
            self._crew.assign(index, unit, self._writer.attempts(unit.id) + 1)
        self._monitor.busy({index: assignment.unit for index, assignment in self._crew.playing.items()})

    def _handle(self, event: Event) -> None:
        """Do what a worker's message asks for."""
        unit, message = event.assignment.unit, event.message
        if isinstance(message, Question):
            inference = self._inferences[event.worker % len(self._inferences)]
            inference.ask(Ask(event.worker, event.pipe, message, alone=unit.id in self._alone))
        elif isinstance(message, Finished):
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
