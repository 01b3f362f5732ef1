"""`experiments.yaml`: which policy and checkpoints stand behind which arm.

    arms:
      seer-scratch:                        # the name of the arm; its runs are kept under it
        method: Seer                       # as the tables call it
        arm: {pretrained: no}              # further attributes of the row, as --arm takes them
        policy: seer
        checkpoints: [scratch/*.pth]       # relative to this file
        options: {vit: float32}            # as --policy-arg takes them
        benchmark: calvin                  # only there; else wherever a table that is asked for plays
        protocol: calvin-abc-d/seer-v1     # instead of the one that compares with the paper
        seed: 1
        units: 0:100

`policy` and `method` are needed, all else may be absent. Every value is taken as it is written: `no` is the text "no".
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from seer_bench.arms import check_arm
from seer_bench.errors import UsageError

_KEYS = ("method", "arm", "policy", "checkpoints", "options", "benchmark", "protocol", "seed", "units")
_NEEDED = ("method", "policy")


@dataclass(frozen=True)
class Experiment:
    """One arm of the file."""

    name: str
    """Of the folder that its runs are kept in, too."""
    line: int
    """Where it begins, from 1."""
    method: str
    """As the tables call it."""
    policy: str
    """Name of the plugin."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Of the row, beside its method."""
    checkpoints: tuple[str, ...] = ()
    """Paths and patterns; empty for a policy without weights."""
    options: Mapping[str, str] = field(default_factory=dict)
    """For the policy."""
    benchmark: str | None = None
    """None: whichever a table that is asked for is about."""
    protocol: str | None = None
    """None: the one whose results compare with the paper's."""
    seed: int = 0
    units: str | None = None
    """None for all."""

    @property
    def arm(self) -> dict[str, str]:
        """Method and attributes."""
        return {"method": self.method, **self.attributes}


@dataclass(frozen=True)
class Experiments:
    """A whole file."""

    path: Path
    arms: tuple[Experiment, ...]

    @property
    def base(self) -> Path:
        """What its paths are relative to."""
        return self.path.absolute().parent

    def where(self, arm: Experiment) -> str:
        """The place of an arm, for messages."""
        return f"{self.path}:{arm.line}: arm '{arm.name}'"


def read_experiments(path: Path) -> Experiments:
    """Read and check a file; nothing that it names is looked for.

    Raises:
        UsageError: it cannot be read, is no YAML, or a key, a value or an arm's attributes cannot be; file and line
            are named.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise UsageError(f"--checkpoints {path}: cannot be read: {why}.") from error
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UsageError(f"{path}:{line}: is no YAML: {error.problem}.") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise UsageError(f"{path}:{line}: is no YAML: it holds the character {chr(error.character)!r}.") from error
    reader = _Reader(path)
    top = reader.mapping(root, "the file", ("arms",))
    if root is None or "arms" not in top:
        raise UsageError(f"{path}: holds no arms. It needs the key 'arms' with a name and its entry for each arm.")
    arms = reader.pairs(top["arms"], "arms")
    if not arms:
        raise UsageError(f"{path}:{top['arms'].start_mark.line + 1}: 'arms' is empty; it needs at least one arm.")
    return Experiments(path, tuple(_arm(reader, key, node) for key, node in arms))


def _arm(reader: _Reader, key: yaml.ScalarNode, node: yaml.Node) -> Experiment:
    """One arm."""
    name = key.value
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]*", name) is None:
        raise reader.error(key, f"'{name}' is no name of an arm; write letters, digits, and . _ + - between.")
    what = f"arm '{name}'"
    entry = reader.mapping(node, what, _KEYS)
    for needed in _NEEDED:
        if needed not in entry:
            raise reader.error(key, f"{what} has no '{needed}'; it needs {' and '.join(_NEEDED)}.")
    texts = {k: reader.text(entry[k], k) for k in ("method", "policy", "benchmark", "protocol", "units") if k in entry}
    attributes = reader.texts(entry.get("arm"), "arm")
    if "method" in attributes:
        raise reader.error(entry["arm"], f"{what} gives its method twice; write it beside 'arm', not within.")
    found = Experiment(
        name=name,
        line=key.start_mark.line + 1,
        method=texts["method"],
        policy=texts["policy"],
        attributes=attributes,
        checkpoints=reader.sequence(entry.get("checkpoints"), "checkpoints"),
        options=reader.texts(entry.get("options"), "options"),
        benchmark=texts.get("benchmark"),
        protocol=texts.get("protocol"),
        seed=reader.whole(entry.get("seed"), "seed"),
        units=texts.get("units"),
    )
    check_arm(found.arm, source=f"{reader.path}:{found.line}: {what}")
    return found


class _Reader:
    """Takes values from YAML nodes, which know their lines; scalars are texts as they are written."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def error(self, node: yaml.Node, text: str) -> UsageError:
        """An error at a node."""
        return UsageError(f"{self.path}:{node.start_mark.line + 1}: {text}")

    def pairs(self, node: yaml.Node | None, what: str) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
        """Keys and values of a mapping, each key once; an absent or empty one has none."""
        if node is None or _is_null(node):
            return []
        if not isinstance(node, yaml.MappingNode):
            raise self.error(node, f"{what}: a mapping of keys to values is needed here.")
        lines: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self.error(key, f"{what}: a key must be a plain text.")
            line = key.start_mark.line + 1
            if key.value in lines:
                raise self.error(key, f"{what}: '{key.value}' stands there twice, first in line {lines[key.value]}.")
            lines[key.value] = line
        return list(node.value)

    def mapping(self, node: yaml.Node | None, what: str, known: tuple[str, ...]) -> dict[str, yaml.Node]:
        """A mapping with keys of a known set."""
        found = {}
        for key, value in self.pairs(node, what):
            if key.value not in known:
                close = difflib.get_close_matches(key.value, known, n=1, cutoff=0.5)
                hint = f" Did you mean '{close[0]}'?" if close else ""
                raise self.error(key, f"{what}: unknown key '{key.value}'.{hint} Known: {', '.join(known)}.")
            found[key.value] = value
        return found

    def text(self, node: yaml.Node, what: str) -> str:
        """A scalar that is not empty."""
        if not isinstance(node, yaml.ScalarNode) or not node.value.strip() or _is_null(node):
            raise self.error(node, f"{what}: one plain value is needed here.")
        return str(node.value).strip()

    def texts(self, node: yaml.Node | None, what: str) -> dict[str, str]:
        """A mapping of texts."""
        return {key.value: self.text(value, f"{what}: {key.value}") for key, value in self.pairs(node, what)}

    def sequence(self, node: yaml.Node | None, what: str) -> tuple[str, ...]:
        """Texts: a list of them, or a single one."""
        if node is None:
            return ()
        if isinstance(node, yaml.SequenceNode):
            if not node.value:
                raise self.error(node, f"{what}: the list is empty; leave the key out where there is nothing to name.")
            return tuple(self.text(item, what) for item in node.value)
        return (self.text(node, what),)

    def whole(self, node: yaml.Node | None, what: str) -> int:
        """A whole number of at least 0; 0 where it is absent."""
        text = "0" if node is None else self.text(node, what)
        if node is not None and re.fullmatch(r"\d+", text) is None:
            raise self.error(node, f"{what}: {text!r} is no whole number of at least 0.")
        return int(text)


def _is_null(node: yaml.Node) -> bool:
    """Whether nothing stands there, or YAML's word for nothing."""
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"
