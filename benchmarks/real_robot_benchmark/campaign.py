"""The folder of a campaign.

<campaign>/campaign.json    the plan: protocol, order, letters; written once, before the first trial
<campaign>/tasks.yaml       the task file as it was when the campaign was planned
<campaign>/KEY.sealed       who the letters are; of a blind campaign alone
<campaign>/KEY.opened.json  the same in clear, once it was opened on the record
<campaign>/events.jsonl     every key press
<campaign>/runs/            a run directory a policy, derived from the rest once the campaign is not blind any more
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, cast

from real_robot_benchmark.events import EVENTS, History, read_events
from real_robot_benchmark.fold import fold
from real_robot_benchmark.plan import GroupBy, Plan, PlannedTrial, check_order, letters, make_plan
from real_robot_benchmark.protocol import make_protocol
from real_robot_benchmark.seal import KEY_FILE, OPENED, Arm, SealError, draw, read_opened, seal, unseal
from real_robot_benchmark.state import CampaignState
from real_robot_benchmark.tasks import Aggregation, Disturbances, RealTask, TaskSet, load_tasks
from real_robot_benchmark.view import SceneView
from seer_bench.engine.seeding import derive_seed
from seer_bench.errors import DamagedRecordError, SeerBenchError, StoreError, UsageError
from seer_bench.protocol import EvaluationProtocol
from seer_bench.store import write_atomic

SCHEMA = "seer-bench/campaign/1"
PLAN = "campaign.json"
TASKS = "tasks.yaml"
RUNS = "runs"


@dataclass(frozen=True)
class Choices:
    """What a campaign is planned with."""

    trials: int
    """Repetitions of every case."""
    aggregation: Aggregation
    """How they become the result of a case."""
    seed: int = 0
    """Of the order; who a letter stands for does not depend on it."""
    group_by: GroupBy = "task"
    disturbances: Disturbances = "none"
    only: tuple[str, ...] = ()
    """Tasks; empty for all."""


@dataclass(frozen=True)
class Campaign:
    """A planned campaign, as its folder holds it; looking at it takes no lock."""

    path: Path
    created: str
    """ISO 8601, UTC."""
    seed: int
    group_by: GroupBy
    trials: int
    """Repetitions of every case."""
    protocol: EvaluationProtocol
    plan: Plan
    arms: Mapping[str, Arm] | None
    """Letter -> policy; None where the campaign is blind."""
    commitment: str | None
    """Of the sealed key; None where the campaign is not blind."""
    encrypted: bool
    """The key needs a passphrase."""
    genesis: str
    """sha256 of the plan's file, which the log follows."""

    @property
    def blind(self) -> bool:
        """The operator sees letters alone."""
        return self.commitment is not None

    @property
    def log(self) -> Path:
        """The log of key presses."""
        return self.path / EVENTS

    @property
    def runs(self) -> Path:
        """Where the derived runs are."""
        return self.path / RUNS

    @classmethod
    def create(
        cls,
        path: Path,
        task_file: Path,
        arms: Sequence[Arm],
        choices: Choices,
        *,
        blind: bool = False,
        passphrase: str | None = None,
    ) -> Campaign:
        """Plan a campaign into a new folder.

        Args:
            path: the folder; it must not exist, or be empty.
            task_file: what is played.
            arms: the policies.
            choices: everything else.
            blind: give the policies letters at random, and seal who is who.
            passphrase: encrypts the sealed key; None leaves it tamper-evident only.

        Raises:
            FaultyFileError: the task file has faults.
            UsageError: the choices do not fit the tasks.
            StoreError: the folder holds something, or cannot be written.
        """
        tasks = load_tasks(task_file)
        chosen = _chosen(tasks, choices)
        if blind and len(arms) < 2:
            raise UsageError("a blind campaign needs two policies at least: one letter hides nothing.")
        names = letters(len(arms))
        key = draw(arms, names) if blind else dict(zip(names, arms, strict=True))
        sealed = seal(key, passphrase) if blind else None
        protocol = make_protocol(tasks, chosen, trials=choices.trials, aggregation=choices.aggregation)
        plan = make_plan(chosen, names, trials=choices.trials, seed=choices.seed, group_by=choices.group_by)
        _make_folder(path)
        text = task_file.read_bytes()
        tree = {
            "schema": SCHEMA,
            "created": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "tasks_sha256": hashlib.sha256(text).hexdigest(),
            "seed": choices.seed,
            "group_by": choices.group_by,
            "trials": choices.trials,
            "disturbances": choices.disturbances,
            "only": list(choices.only),
            "protocol": protocol.to_json(),
            "letters": list(names),
            "arms": None if blind else {letter: asdict(arm) for letter, arm in key.items()},
            "key": None if sealed is None else {"commitment": sealed.commitment, "encrypted": sealed.encrypted},
        }
        write_atomic(path / TASKS, text)
        if sealed is not None:
            write_atomic(path / KEY_FILE, sealed.text.encode())
        write_atomic(path / PLAN, _plan_text(tree, plan).encode())
        return cls.load(path)

    @classmethod
    def load(cls, path: Path) -> Campaign:
        """Read a campaign's plan.

        Raises:
            StoreError: it is no campaign.
            DamagedRecordError: plan or tasks were altered, or are of a newer seer-bench.
        """
        file = path / PLAN
        try:
            data = file.read_bytes()
            text = (path / TASKS).read_bytes()
        except OSError as error:
            raise StoreError(
                f"{path}: no campaign: {Path(error.filename or file).name} cannot be read ({error.strerror}). Make one "
                "with: seer-bench real plan TASKS.yaml --policies NAME=CHECKPOINT --out DIR"
            ) from error
        try:
            tree = json.loads(data)
            if tree["schema"] != SCHEMA:
                raise DamagedRecordError(f"{file}: schema is {tree['schema']!r}, this seer-bench reads '{SCHEMA}'.")
            if hashlib.sha256(text).hexdigest() != tree["tasks_sha256"]:
                raise DamagedRecordError(
                    f"{path / TASKS}: was changed after the campaign was planned. Restore it; for other tasks plan "
                    "another campaign."
                )
            campaign = cls._of(path, tree, hashlib.sha256(data).hexdigest())
            fault = check_order(campaign.plan, campaign.trials)
        except SeerBenchError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DamagedRecordError(f"{file}: is no plan ({type(error).__name__}: {error}). Restore it.") from error
        if fault:
            raise DamagedRecordError(f"{file}: the order was altered: {fault}. Restore it.")
        return campaign

    @classmethod
    def _of(cls, path: Path, tree: Mapping[str, Any], genesis: str) -> Campaign:
        """The campaign of a plan."""
        only, disturbances = tuple(tree["only"]), cast("Disturbances", tree["disturbances"])
        tasks = load_tasks(path / TASKS).choose(only, disturbances)
        order = tuple(PlannedTrial(i, *entry) for i, entry in enumerate(tree["order"], start=1))
        arms = tree["arms"]
        return cls(
            path=path,
            created=tree["created"],
            seed=tree["seed"],
            group_by=tree["group_by"],
            trials=tree["trials"],
            protocol=EvaluationProtocol.from_json(tree["protocol"], source=str(path / PLAN)),
            plan=Plan(tasks, order, tuple(tree["letters"])),
            arms=None if arms is None else {letter: Arm.from_json(arm) for letter, arm in arms.items()},
            commitment=tree["key"]["commitment"] if tree["key"] else None,
            encrypted=bool(tree["key"] and tree["key"]["encrypted"]),
            genesis=genesis,
        )

    def history(self) -> History:
        """The log as it stands; raises as `read_events`."""
        return read_events(self.log, self.genesis)

    def state(self) -> CampaignState:
        """Where the campaign stands; raises as `read_events`, and DamagedRecordError for a log of another plan."""
        return fold(self.plan, self.history().events)

    def read_key(self, passphrase: str | None = None, file: Path | None = None) -> Mapping[str, Arm]:
        """Letter -> policy, without a trace in the log: `Session.open_key` and `policy_key` leave one.

        Args:
            passphrase: of an encrypted key.
            file: the sealed key, where somebody else kept it.

        Raises:
            SealError: the sealed key is missing, another one, or the passphrase is missing or wrong.
        """
        if self.arms is not None:
            return self.arms
        if (self.path / OPENED).exists():
            return read_opened((self.path / OPENED).read_bytes(), self._commitment, self.path / OPENED)
        return read_opened(self.open_seal(passphrase, file), self._commitment, file or self.path / KEY_FILE)

    def open_seal(self, passphrase: str | None = None, file: Path | None = None) -> bytes:
        """The opened key of a blind campaign; arguments and errors as of `read_key`."""
        return unseal(file or self.path / KEY_FILE, self._commitment, passphrase)

    def opened_key(self) -> Mapping[str, Arm] | None:
        """Letter -> policy where that is no secret (any more), else None."""
        return self.read_key() if self.arms is not None or (self.path / OPENED).exists() else None

    @property
    def _commitment(self) -> str:
        """What the sealed key must hash to."""
        if self.commitment is None:
            raise SealError(f"{self.path / PLAN}: holds neither policies nor a sealed key; restore it.")
        return self.commitment

    def unit_seed(self, trial: PlannedTrial) -> int:
        """Seed of a trial, for policies that draw; the same for every policy and attempt."""
        return derive_seed(self.seed, trial.task, trial.case, trial.trial)

    def policy_name(self, letter: str) -> str:
        """What screens call a policy: the letter, and behind it who it is where that is no secret."""
        return letter if self.arms is None else f"{letter} · {self.arms[letter].label}"

    def scene(self, trial: PlannedTrial) -> SceneView:
        """What is to be prepared for a trial, in words."""
        task = self.plan.task(trial.task)
        return SceneView(
            number=trial.number,
            task=task.label,
            case=trial.case,
            cases=len(task.cases),
            trial=trial.trial,
            policy=self.policy_name(trial.arm),
            lines=task.scene(trial.case),
        )


def _chosen(tasks: TaskSet, choices: Choices) -> tuple[RealTask, ...]:
    """The tasks that are played; refuses an empty choice."""
    chosen = tasks.choose(choices.only, choices.disturbances)
    if not chosen:
        raise UsageError("the chosen tasks have no disturbances; plan without --disturbances only.")
    return chosen


def _make_folder(path: Path) -> None:
    """A new folder, or an empty one."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        held = sorted(child.name for child in path.iterdir())
    except OSError as error:
        raise StoreError(f"{path}: cannot be used: {error.strerror or error}. Choose another --out.") from error
    if PLAN in held:
        raise StoreError(f"{path}: holds a campaign already; a plan is never changed. Choose another --out.")
    if held:
        raise StoreError(f"{path}: is not empty (it holds {', '.join(held[:3])}). Choose another --out.")


def _plan_text(tree: Mapping[str, Any], plan: Plan) -> str:
    """The plan's file: a line a trial, for people who look at it."""
    head = json.dumps(tree, indent=2)
    lines = ",\n".join(f"    {json.dumps([t.task, t.case, t.trial, t.arm])}" for t in plan.trials)
    return f'{head[:-2]},\n  "order": [\n{lines}\n  ]\n}}\n'
