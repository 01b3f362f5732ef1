"""YAML that people write: every fault with its line, all at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from yaml.reader import ReaderError

from seer_bench.errors import UsageError


@dataclass(frozen=True, order=True)
class Fault:
    """Something that has to be mended in a file."""

    line: int
    """From 1."""
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}"


class FaultyFileError(UsageError):
    """A file cannot be used; `faults` has everything that is wrong with it, by line."""

    def __init__(self, path: Path, faults: Iterable[Fault], hint: str = "") -> None:
        """Name the file and list its faults."""
        self.path = path
        self.faults = tuple(sorted(set(faults)))
        count = f"{len(self.faults)} fault{'s' if len(self.faults) != 1 else ''}"
        lines = "".join(f"\n  {fault}" for fault in self.faults)
        super().__init__(f"{path}: {count}:{lines}" + (f"\n{hint}" if hint else ""))


def close_match(name: str, known: Iterable[str]) -> str:
    """The words " Did you mean 'x'?", or none."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" Did you mean '{close[0]}'?" if close else ""


@dataclass
class Reader:
    """Reads typed values out of YAML nodes and collects what is wrong; a faulty value reads as empty."""

    faults: list[Fault] = field(default_factory=list)

    def fault(self, node: yaml.Node, text: str) -> None:
        """Remember a fault at the line of `node`."""
        self.faults.append(Fault(node.start_mark.line + 1, text))

    def mapping(
        self, node: yaml.Node, what: str, *, required: Iterable[str] = (), optional: Iterable[str] = ()
    ) -> dict[str, yaml.Node]:
        """The entries of a mapping; unknown, doubled and missing keys are faults."""
        if not isinstance(node, yaml.MappingNode):
            self.fault(node, f"{what} must be a mapping of key: value, not {_kind(node)}.")
            return {}
        required, known = tuple(required), {*required, *optional}
        entries: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = str(key.value)
            if name not in known:
                self.fault(key, f"{what} has no '{name}'.{close_match(name, known)} Known: {', '.join(sorted(known))}.")
            elif name in entries:
                self.fault(key, f"{what} has '{name}' twice.")
            else:
                entries[name] = value
        for name in required:
            if name not in entries:
                self.fault(node, f"{what} lacks '{name}'.")
        return entries

    def sequence(self, node: yaml.Node | None, what: str) -> list[yaml.Node]:
        """The items of a list, which must have some."""
        if node is None:
            return []
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            self.fault(node, f"{what} must be a list with at least one item, not {_kind(node)}.")
            return []
        return list(node.value)

    def text(self, node: yaml.Node | None, what: str) -> str:
        """A sentence or name, on one line."""
        if node is None:
            return ""
        if not isinstance(node, yaml.ScalarNode) or node.tag not in _TEXT_TAGS:
            self.fault(node, f"{what} must be text, not {_kind(node)}. Put it in quotes if it is meant as text.")
            return ""
        words = " ".join(str(node.value).split())
        if not words or not words.isprintable():
            self.fault(node, f"{what} is empty." if not words else f"{what} holds a control character.")
            return ""
        return words

    def number(self, node: yaml.Node | None, what: str, *, least: int, most: int) -> int:
        """A whole number within bounds; `least` where it is faulty or absent."""
        if node is None:
            return least
        if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:int":
            with suppress(ValueError):  # a tag that the digits do not bear out, or more of them than a number may have
                value = int(yaml.safe_load(yaml.serialize(node)))
                if least <= value <= most:
                    return value
        shown = node.value if isinstance(node, yaml.ScalarNode) else _kind(node)
        self.fault(node, f"{what} must be a whole number from {least} to {most}, not {shown[:40]}.")
        return least

    def choice(self, node: yaml.Node | None, what: str, known: tuple[str, ...], default: str) -> str:
        """One of several words."""
        if node is None:
            return default
        word = self.text(node, what)
        if word and word not in known:
            self.fault(node, f"{what} is '{word}'.{close_match(word, known)} Known: {', '.join(known)}.")
            return default
        return word or default


def compose(path: Path) -> yaml.Node:
    """The tree of a YAML file, with lines.

    Raises:
        UsageError: it cannot be read.
        FaultyFileError: it is no YAML, no text or empty; the line is named.
    """
    try:
        data = path.read_bytes()
        text = data.decode("utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise FaultyFileError(path, [Fault(line, "is not UTF-8 text; save the file as UTF-8.")]) from error
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        words = "; ".join(part for part in (error.context, error.problem) if part)
        raise FaultyFileError(path, [Fault(mark.line + 1 if mark else 1, f"not YAML: {words}.")]) from error
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise FaultyFileError(path, [Fault(line, f"holds the control character {error.character:#04x}.")]) from error
    if node is None:
        raise FaultyFileError(path, [Fault(1, "the file is empty.")])
    return node


_TEXT_TAGS = ("tag:yaml.org,2002:str",)


def _kind(node: yaml.Node) -> str:
    """What a node is, in words."""
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if isinstance(node, yaml.SequenceNode):
        return "a list" if node.value else "an empty list"
    return f"'{node.value}' ({node.tag.rpartition(':')[2]})" if node.value else "nothing"
