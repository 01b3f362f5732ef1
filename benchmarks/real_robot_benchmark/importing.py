"""A campaign that somebody else wrote down: a CSV file with a line a trial becomes runs.

Nothing is trusted before it is shown: `read_csv` says which column it takes for what, and finds every fault of the
file at once, by line. An imported run says in every report that it was imported.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from real_robot_benchmark.arms import LABEL, LABEL_RULE
from real_robot_benchmark.csv_rows import decode, read_bytes, split_rows
from real_robot_benchmark.protocol import make_protocol
from real_robot_benchmark.reading import Fault, FaultyFileError, close_match
from real_robot_benchmark.records import make_stages, no_actions, write_run
from real_robot_benchmark.seal import Arm
from real_robot_benchmark.tasks import Aggregation, RealTask, TaskSet
from seer_bench.contracts import UnitResult
from seer_bench.errors import StoreError, UnknownNameError, UsageError
from seer_bench.real_robot import Trial
from seer_bench.store import actions_sha256

FIELDS: Mapping[str, tuple[str, ...]] = {
    "policy": ("policy", "method", "model"),
    "task": ("task", "task_name"),
    "case": ("case", "initial_state", "init_state"),
    "trial": ("trial", "repetition", "repeat", "run"),
    "stages": ("stages", "stages_done", "completed_stages", "score"),
    "outcome": ("outcome", "success", "result", "solved", "sr"),
    "seconds": ("seconds", "execution_s", "time_s", "duration_s"),
    "setup_s": ("setup_s", "setup_seconds"),
    "note": ("note", "notes", "comment", "remarks"),
}
"""What a trial has, and how its column may be called."""

_NEEDED = ("policy", "task", "case", "outcome")
_OUTCOMES = {
    **dict.fromkeys(("success", "yes", "true", "1", "1.0", "100", "100.0", "100%", "solved"), "success"),
    **dict.fromkeys(("failure", "failed", "fail", "no", "false", "0", "0.0", "0%"), "failure"),
    "void": "void",
}


@dataclass(frozen=True)
class ImportedTrial:
    """One line of the file, understood."""

    line: int
    policy: str
    task: str
    case: int
    """From 1."""
    trial: int
    """From 1."""
    stages: int
    """Completed, in order."""
    seconds: float | None
    setup_s: float | None
    note: str


@dataclass(frozen=True)
class Import:
    """What a file holds, not written anywhere yet."""

    path: Path
    sha256: str
    mapping: Mapping[str, str]
    """What a trial has -> the column that it is taken from."""
    ignored: tuple[str, ...]
    """Columns that nothing is taken from."""
    trials: tuple[ImportedTrial, ...]
    void: int
    """Lines that say void; they do not count."""

    @property
    def policies(self) -> tuple[str, ...]:
        """In the order of the file."""
        return tuple(dict.fromkeys(trial.policy for trial in self.trials))


def read_csv(
    path: Path, tasks: TaskSet, *, columns: Mapping[str, str] | None = None, policy: str | None = None, first: int = 1
) -> Import:
    """Read a file of trials.

    Args:
        path: CSV with a header, UTF-8; comma, semicolon or tab between the columns.
        tasks: what was played; a task is found by its name or its heading.
        columns: field -> column, where a column is called otherwise than `FIELDS` expects.
        policy: the policy of every line, for a file without such a column.
        first: the number that the file counts cases and trials from.

    Raises:
        FaultyFileError: with every fault and its line.
        UsageError: a column is missing or unknown, or the file cannot be read.
    """
    data = read_bytes(path)
    text = decode(data)
    rows, fault = split_rows(text)
    header = [name.strip() for name in rows[0][1]] if rows else []
    mapping = _mapping(path, header, columns or {}, policy)
    lines = _Lines(tasks, header, mapping, policy, first)
    for line, values in rows[1:]:
        if any(value.strip() for value in values):
            lines.take(line, values)
    lines.faults += fault
    if not lines.trials and not lines.faults:
        lines.faults.append(Fault(1, "there is no trial below the header."))
    if lines.faults:
        raise FaultyFileError(
            path, lines.faults, "Nothing was imported. Mend the lines, or map other columns with --map."
        )
    ignored = tuple(name for name in header if name and name not in mapping.values())
    return Import(path, hashlib.sha256(data).hexdigest(), mapping, ignored, tuple(lines.trials), lines.void)


def write_runs(
    found: Import,
    tasks: TaskSet,
    arms: Sequence[Arm],
    out: Path,
    *,
    trials: int | None = None,
    aggregation: Aggregation | None = None,
) -> list[Path]:
    """Write a run directory for each policy of a file.

    Args:
        found: what `read_csv` found.
        tasks: what was played; those that the file does not mention are left out.
        arms: the policies of the file.
        out: a new or empty folder.
        trials: repetitions of every case; the highest that the file holds if not given.
        aggregation: how they become the result of a case; the task file's choice if not given.

    Raises:
        UsageError: the file holds a trial beyond `trials`.
        StoreError: `out` holds something, or cannot be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise StoreError(f"{out}: is not empty. Choose another --out.")
    most = max(trial.trial for trial in found.trials)
    if trials is not None and most > trials:
        raise UsageError(f"{found.path}: holds trial {most} of a case, but --trials {trials} was given.")
    played = {trial.task for trial in found.trials}
    chosen = [task for task in tasks.choose((), "both") if task.name in played]
    protocol = make_protocol(tasks, chosen, trials=trials or most, aggregation=aggregation or tasks.aggregation)
    by_name = {task.name: task for task in chosen}
    created = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    facts = {"real_robot": {"remarks": _remarks(found), "imported": str(found.path), "sha256": found.sha256}}
    paths = []
    for arm in arms:
        results = [
            (_result(trial, by_name[trial.task], protocol.name), no_actions())
            for trial in found.trials
            if trial.policy == arm.label
        ]
        paths.append(write_run(out, arm, protocol, 0, created, results, facts))
    return paths


class _Lines:
    """Reads lines one after another and collects what is wrong with them."""

    def __init__(
        self, tasks: TaskSet, header: Sequence[str], mapping: Mapping[str, str], policy: str | None, first: int
    ) -> None:
        self.trials: list[ImportedTrial] = []
        self.faults: list[Fault] = []
        self.void = 0
        self._header = header
        self._at = {field: header.index(column) for field, column in mapping.items()}
        self._policy = policy
        self._first = first
        known = tasks.choose((), "both")
        self._names = {task.name: task for task in known}
        self._tasks: dict[str, set[str]] = defaultdict(set)
        for task in known:
            for words in (task.name,) if task.of else (task.name, task.label):
                self._tasks[_bare(words)].add(task.name)
        self._seen: dict[tuple[str, str, int, int], int] = {}

    def take(self, line: int, values: Sequence[str]) -> None:
        """Understand one line, or remember why not."""
        if len(values) != len(self._header):
            self._fault(line, f"has {len(values)} columns, the header {len(self._header)}.")
            return
        before = len(self.faults)
        cells = {field: values[at].strip() for field, at in self._at.items()}
        outcome = _OUTCOMES.get(cells["outcome"].lower())
        if outcome is None:
            self._fault(line, f"outcome '{cells['outcome']}' is none of: {', '.join(_OUTCOMES)}.")
        task = self._task(cells["task"])
        if task is None:
            known = ", ".join(self._names)
            self._fault(
                line, f"unknown task '{cells['task']}'.{close_match(cells['task'], self._names)} Known: {known}."
            )
        policy = cells["policy"] if self._policy is None else self._policy
        if not LABEL.fullmatch(policy):
            self._fault(line, f"the policy '{policy}' is no name; {LABEL_RULE}.")
        case = self._number(line, "case", cells["case"], len(task.cases) if task else 10**6)
        trial = self._number(line, "trial", cells.get("trial") or str(self._first), 100)
        seconds, setup_s = (self._seconds(line, name, cells.get(name, "")) for name in ("seconds", "setup_s"))
        if outcome == "void":
            self.void += 1
            return
        if task is None or outcome is None or len(self.faults) > before:
            return
        stages = self._stages(line, cells.get("stages", ""), outcome, task)
        if len(self.faults) > before:
            return
        key = (policy, task.name, case, trial)
        if key in self._seen:
            numbers = f"case {cells['case']}, trial {cells.get('trial') or self._first}"
            self._fault(line, f"{policy}, {task.name}, {numbers} is there already, at line {self._seen[key]}.")
        self._seen.setdefault(key, line)
        self.trials.append(
            ImportedTrial(line, policy, task.name, case, trial, stages, seconds, setup_s, cells.get("note", ""))
        )

    def _task(self, words: str) -> RealTask | None:
        """The task of that name, or else the only one whose name or heading has these letters."""
        named = self._tasks.get(_bare(words), set())
        return self._names.get(words) or (self._names[min(named)] if len(named) == 1 else None)

    def _stages(self, line: int, text: str, outcome: str, task: RealTask) -> int:
        """Completed stages; they must agree with the outcome."""
        total = len(task.stages)
        if not text:
            if outcome == "success" or total == 1:
                return total if outcome == "success" else 0
            self._fault(line, f"a failure of {task.name} needs its completed stages, 0 to {total - 1}, for the score.")
            return 0
        if not re.fullmatch(r"\d{1,2}(\.0+)?", text) or int(float(text)) > total:
            self._fault(line, f"stages '{text}' is no whole number from 0 to {total}, the stages of {task.name}.")
            return 0
        done = int(float(text))
        if (done == total) != (outcome == "success"):
            self._fault(line, f"says {outcome} with {done} of {total} stages of {task.name}; success is all stages.")
        return done

    def _number(self, line: int, what: str, text: str, most: int) -> int:
        """A case or trial, counted from 1."""
        last = most - 1 + self._first
        if not re.fullmatch(r"\d{1,6}(\.0+)?", text) or not self._first <= int(float(text)) <= last:
            hint = "; if the file counts from 0, add --first 0" if self._first == 1 and text in ("0", "00") else ""
            self._fault(line, f"{what} '{text}' is no whole number from {self._first} to {last}{hint}.")
            return 1
        return int(float(text)) - self._first + 1

    def _seconds(self, line: int, what: str, text: str) -> float | None:
        """A time; None where the file has none."""
        if not text:
            return None
        if not re.fullmatch(r"\d{1,7}([.,]\d+)?", text):
            self._fault(line, f"{what} '{text}' is no number of seconds.")
            return None
        return float(text.replace(",", "."))

    def _fault(self, line: int, text: str) -> None:
        self.faults.append(Fault(line, text))


def _mapping(path: Path, header: Sequence[str], given: Mapping[str, str], policy: str | None) -> dict[str, str]:
    """Field -> column; raises UsageError for what is missing, unknown or taken twice."""
    for field, column in given.items():
        if field not in FIELDS:
            raise UnknownNameError("field of --map", field, FIELDS)
        if column not in header:
            raise UnknownNameError(f"column of {path}", column, header)
    if doubled := sorted({column for column in given.values() if list(given.values()).count(column) > 1}):
        raise UsageError(f"--map: the column '{doubled[0]}' is given twice; each field has a column of its own.")
    if doubled := sorted({name for name in header if name and header.count(name) > 1}):
        raise UsageError(f"{path}: the header has '{doubled[0]}' twice.")
    free = {_bare(name): name for name in header if name not in given.values()}
    mapping = dict(given)
    wanted = [field for field in FIELDS if field not in mapping and not (field == "policy" and policy is not None)]
    for field in wanted:
        if usual := [free[_bare(name)] for name in FIELDS[field] if _bare(name) in free]:
            mapping[field] = usual[0]
    missing = [field for field in _NEEDED if field in wanted and field not in mapping]
    if missing:
        raise UsageError(
            f"{path}: no column for {', '.join(missing)} among {', '.join(header) or 'none'}. Name it with --map "
            f"{missing[0]}=COLUMN" + (" or give --policy NAME for all lines." if "policy" in missing else ".")
        )
    return {field: mapping[field] for field in FIELDS if field in mapping}


def _result(trial: ImportedTrial, task: RealTask, protocol: str) -> UnitResult:
    """One trial as the store records it."""
    done = trial.stages == len(task.stages)
    info = {
        "line": trial.line,
        **({"seconds": trial.seconds} if trial.seconds is not None else {}),
        **({"setup_s": trial.setup_s} if trial.setup_s is not None else {}),
        **({"notes": [trial.note]} if trial.note else {}),
    }
    return UnitResult(
        unit_id=Trial(trial.task, trial.case - 1, trial.trial - 1).unit_id(protocol),
        attempt=1,
        outcome="success" if done else "failure",
        subtasks=make_stages(task, [None] * trial.stages),
        seed=0,
        actions_out_of_range=0,
        actions_sha256=actions_sha256(no_actions()),
        run_info=info,
    )


def _remarks(found: Import) -> list[str]:
    """What every report says of imported trials."""
    columns = ", ".join(f"{field} from '{column}'" for field, column in found.mapping.items())
    sentences = [
        f"Imported from {found.path.name} (sha256 {found.sha256[:12]}): {columns}.",
        "Not recorded by seer-bench: nothing is known of order and blinding.",
    ]
    if found.void:
        sentences.append(f"{found.void} void line{'s' if found.void > 1 else ''} of the file left out.")
    return sentences


def _bare(name: str) -> str:
    """Letters and digits alone, small, so that "Stack Cups" is "stack_cups"."""
    return "".join(character for character in name.casefold() if character.isalnum())
