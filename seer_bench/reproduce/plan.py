"""From a table's name and a file of arms to the runs that are missing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from seer_bench.engine import RunRequest
from seer_bench.engine.checkpoints import Weights, distinct, find_checkpoints, folders, names_of
from seer_bench.engine.facts import cores
from seer_bench.engine.request import Resolved, resolve
from seer_bench.errors import CheckpointError, SeerBenchError, StoreError, UnknownNameError, UsageError
from seer_bench.registry import BENCHMARKS, POLICIES, import_policy, load_benchmark, plugins
from seer_bench.report.arms import HEAD_OF_OURS, Arm, policy_of
from seer_bench.report.missing import Wanted
from seer_bench.report.paper_table import PaperTable
from seer_bench.report.tables import paper_tables
from seer_bench.reproduce.experiments import Experiment, Experiments
from seer_bench.reproduce.held import Asked, mean_seconds, read_held
from seer_bench.reproduce.rows import rows_of


@dataclass(frozen=True)
class Settings:
    """What holds for all runs."""

    out: Path
    units: str | None = None
    """Instead of what the file says."""
    workers: int | None = None
    device: str = "cpu"
    threads: int = 1


@dataclass(frozen=True)
class PlannedRun:
    """One arm with one checkpoint under one protocol."""

    name: str
    """The checkpoint, or "" for a policy without weights."""
    request: RunRequest
    done: int
    total: int

    @property
    def missing(self) -> int:
        """Units without an outcome."""
        return self.total - self.done


@dataclass(frozen=True)
class PlannedArm:
    """One arm under one protocol."""

    experiment: Experiment
    benchmark: str
    protocol: str
    comparable: str
    """"yes", or why its results do not compare with the paper's."""
    runs: tuple[PlannedRun, ...]
    obstacle: str | None
    """Why it cannot be played here; then there are no runs."""
    pace: tuple[float, int] | None
    """Mean seconds of a recorded unit of its policy and protocol, and of how many units; None where there are none."""
    workers: int

    @property
    def missing(self) -> int:
        """Units without an outcome."""
        return sum(run.missing for run in self.runs)

    @property
    def seconds(self) -> float | None:
        """Time that the missing units take at the recorded pace, run after run; None where it is not known."""
        if self.pace is None:
            return None
        return sum(self.pace[0] * max(1.0, run.missing / self.workers) for run in self.runs if run.missing)


@dataclass(frozen=True)
class PlannedTable:
    """One table, row by row."""

    table: PaperTable
    rows: tuple[tuple[Wanted, tuple[PlannedArm, ...]], ...]
    """Every row of the paper with the arms that fill it."""
    others: tuple[PlannedArm, ...]
    """Arms that no row of the paper has; they are shown below its rows."""


@dataclass(frozen=True)
class Plan:
    """What is to be played, and what cannot be."""

    tables: tuple[PlannedTable, ...]
    arms: tuple[PlannedArm, ...]
    """Each once, in the order of the file."""
    notes: tuple[str, ...]

    @property
    def runs(self) -> list[tuple[PlannedArm, PlannedRun]]:
        """Those with units to play."""
        return [(arm, run) for arm in self.arms for run in arm.runs if run.missing]


def make_plan(tables: Sequence[PaperTable], experiments: Experiments, settings: Settings) -> Plan:
    """Decide what has to be played; nothing is loaded but the plugins' code.

    Whatever is not on this machine (plugins, assets, checkpoints) becomes an obstacle of its arm.

    Raises:
        UsageError: the file asks for a benchmark, a protocol or units that do not exist, or for one run twice.
    """
    planner = _Planner(experiments, settings)
    _check_names(experiments, planner.benchmarks)
    planned = tuple(planner.table(table) for table in tables)
    order = {experiment.name: i for i, experiment in enumerate(experiments.arms)}
    arms = sorted(planner.arms.values(), key=lambda arm: order[arm.experiment.name])
    return Plan(planned, tuple(arms), tuple(dict.fromkeys(planner.notes)))


class _Planner:
    """Plans every arm once, however many tables show it."""

    def __init__(self, experiments: Experiments, settings: Settings) -> None:
        self.arms: dict[tuple[str, str, str], PlannedArm] = {}
        self._experiments = experiments
        self._settings = settings
        self._held, problems = read_held(settings.out)
        self._asked: list[tuple[Asked, str]] = []
        self.notes = problems
        self._rows = {table.key: rows_of(table) for table in paper_tables()}
        self.benchmarks = {row.benchmark for rows in self._rows.values() for row in rows}
        self._in_paper = {(row.arm, row.benchmark) for rows in self._rows.values() for row in rows}

    def table(self, table: PaperTable) -> PlannedTable:
        """Plan one table."""
        rows = self._rows[table.key]
        filled: dict[int, list[PlannedArm]] = {i: [] for i in range(len(rows))}
        others: list[PlannedArm] = []
        for benchmark, protocol in dict.fromkeys((row.benchmark, row.protocol) for row in rows):
            for experiment in self._experiments.arms:
                arm = Arm.of(experiment.arm)
                matching = [i for i, row in enumerate(rows) if row.arm == arm and row.benchmark == benchmark]
                beyond = (arm, benchmark) not in self._in_paper and table.shows(arm)
                wanted = experiment.benchmark in (None, benchmark) and (matching or beyond)
                if not wanted or not self._plays(experiment, benchmark, table):
                    continue
                planned = self._arm(experiment, benchmark, experiment.protocol or protocol)
                for i in matching:
                    filled[i].append(planned)
                if not matching:
                    others.append(planned)
        return PlannedTable(table, tuple((row, tuple(filled[i])) for i, row in enumerate(rows)), tuple(others))

    def _plays(self, experiment: Experiment, benchmark: str, table: PaperTable) -> bool:
        """Whether the protocol that an arm asks for is one of this benchmark and table; what is absent may be."""
        if experiment.protocol is None or benchmark not in plugins(BENCHMARKS):
            return True
        try:
            protocols = load_benchmark(benchmark).protocols()
        except SeerBenchError:
            return True
        return experiment.protocol in protocols and protocols[experiment.protocol].table in table.sources

    def _arm(self, experiment: Experiment, benchmark: str, protocol: str) -> PlannedArm:
        """Plan an arm under a protocol."""
        key = (experiment.name, benchmark, protocol)
        if key not in self.arms:
            self.arms[key] = self._plan(experiment, benchmark, protocol)
        return self.arms[key]

    def _plan(self, experiment: Experiment, benchmark: str, protocol: str) -> PlannedArm:
        """Plan an arm under a protocol, or say why it cannot be played."""
        settings = self._settings
        workers = settings.workers or cores()
        request = RunRequest(
            benchmark=benchmark,
            policy=experiment.policy,
            out=settings.out,
            protocol=protocol,
            units=settings.units or experiment.units,
            seed=experiment.seed,
            workers=settings.workers,
            device=settings.device,
            threads=settings.threads,
            options=experiment.options,
            arm=experiment.arm,
        )
        absent = PlannedArm(experiment, benchmark, protocol, "yes", (), None, None, workers)
        try:
            _check_installed(request)
        except SeerBenchError as error:
            return replace(absent, obstacle=str(error))
        try:
            resolved = resolve(request)
        except UsageError as error:
            raise UsageError(f"{self._experiments.where(experiment)}: {error}") from error
        except SeerBenchError as error:
            return replace(absent, obstacle=str(error))
        try:
            runs = self._runs(experiment, resolved)
        except (CheckpointError, StoreError) as error:
            return replace(absent, comparable=resolved.protocol.comparable, obstacle=str(error))
        pace = mean_seconds(self._held, experiment.policy, resolved.protocol.fingerprint)
        return replace(absent, comparable=resolved.protocol.comparable, runs=runs, pace=pace)

    def _runs(self, experiment: Experiment, resolved: Resolved) -> tuple[PlannedRun, ...]:
        """A run a checkpoint, or one without any; each continues where there are records of it."""
        folder = self._settings.out.absolute() / resolved.protocol.name.replace("/", "-") / experiment.name
        if not experiment.checkpoints:
            return (self._run("", experiment, resolved, folder, None),)
        option = f"{self._experiments.where(experiment)}: checkpoints"
        found = find_checkpoints(experiment.checkpoints, experiment.policy, base=self._experiments.base, option=option)
        weights, notes = distinct(found)
        self.notes += notes
        return tuple(
            self._run(name, experiment, resolved, place, item)
            for name, item, place in zip(names_of(weights), weights, folders(folder, "", weights), strict=True)
        )

    def _run(
        self, name: str, experiment: Experiment, resolved: Resolved, place: Path, weights: Weights | None
    ) -> PlannedRun:
        """One run."""
        asked = Asked(
            experiment.policy,
            dict(experiment.options),
            Arm.of(experiment.arm),
            resolved.protocol.fingerprint,
            resolved.backend,
            experiment.seed,
            weights.sha256 if weights else None,
        )
        twin = next((other for known, other in self._asked if known == asked), None)
        if twin is not None:
            raise UsageError(
                f"{self._experiments.where(experiment)}: {name or 'its run'} is played by arm '{twin}' already, and "
                "the tables would count it once. Leave it out, or give one of them an attribute or seed of its own."
            )
        self._asked.append((asked, experiment.name))
        held = [run for run in self._held if run.plays(asked)]
        scored = frozenset[str]().union(*(run.scored for run in held))
        open_units = [unit for unit in resolved.units if unit.id not in scored]
        request = replace(resolved.request, out=place, checkpoint=weights.path.absolute() if weights else None)
        if held:
            request = replace(request, out=held[0].path, arm=held[0].manifest.arm)
        if len(held) > 1:  # shards: what another one holds is not played again
            request = replace(request, units=",".join(str(unit.index) for unit in open_units))
        return PlannedRun(name, request, len(resolved.units) - len(open_units), len(resolved.units))


def _check_installed(request: RunRequest) -> None:
    """Refuse a plugin that is not there, or lacks something."""
    for kind, group, name in (("policy", POLICIES, request.policy), ("benchmark", BENCHMARKS, request.benchmark)):
        known: Mapping[str, object] = plugins(group)
        if name not in known:
            hint = f"Install the package that brings the {kind} '{name}'; seer-bench list shows what is there."
            raise UnknownNameError(kind, name, known, hint)
    import_policy(request.policy)
    load_benchmark(request.benchmark)


def _check_names(experiments: Experiments, benchmarks: Collection[str]) -> None:
    """Refuse unknown benchmarks and protocols, and rows that a policy never fills."""
    for experiment in experiments.arms:
        method, policy = experiment.method, experiment.policy
        if method in HEAD_OF_OURS and policy == policy_of(method) and experiment.attributes.get("head") != "ours":
            raise UsageError(
                f"{experiments.where(experiment)}: the policy '{policy}' plays a head of ours over {method}'s encoder, "
                f"which is not the paper's row '{method}'. Say so with: arm: {{head: ours}}"
            )
        if experiment.benchmark is not None and experiment.benchmark not in benchmarks:
            error = UnknownNameError("benchmark", experiment.benchmark, benchmarks)
            raise UsageError(f"{experiments.where(experiment)}: {error}")
        if experiment.protocol is None:
            continue
        named = benchmarks if experiment.benchmark is None else [experiment.benchmark]
        known: set[str] = set()
        try:
            for name in named:
                known.update(load_benchmark(name).protocols())
        except SeerBenchError:  # not installed, or lacks something, so that its protocols are not known here
            continue
        if experiment.protocol not in known:
            kind = "protocol" if experiment.benchmark is None else f"{experiment.benchmark} protocol"
            error = UnknownNameError(kind, experiment.protocol, known)
            raise UsageError(f"{experiments.where(experiment)}: {error}")
