"""Folders of recordings that a test may change, and the command that verifies them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from seer_bench.cli import app
from seer_bench.errors import SeerBenchError

Change = Callable[[Any], Any]


class Folder:
    """A folder of recordings that a test may change."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def copy(cls, source: Path, target: Path) -> Folder:
        """A writable copy of a folder, subfolders included."""
        shutil.copytree(source, target, copy_function=shutil.copyfile)
        for path in (target, *target.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        return cls(target)

    def keep(self, *names: str) -> Folder:
        """Leave only these records in the index."""
        index = self.index
        index["records"] = {name: index["records"][name] for name in names}
        return self.write_index(index)

    @property
    def index(self) -> dict[str, Any]:
        return json.loads((self.path / "index.json").read_text())

    def write_index(self, index: Any) -> Folder:
        (self.path / "index.json").write_text(json.dumps(index))
        return self

    def add(self, name: str, kind: str, files: list[str], **more: Any) -> Folder:
        """Enter a record into the index."""
        index = self.index
        index["records"][name] = {"kind": kind, "files": files, **more}
        return self.write_index(index)

    def edit(self, file: str, key: str | None, change: Change) -> Folder:
        """Replace an array of an .npz file by what `change` makes of it; key None changes the dict of all."""
        with np.load(self.path / file) as arrays:
            content = dict(arrays)
        content = change(content) if key is None else {**content, key: change(content[key])}
        np.savez_compressed(self.path / file, **content)
        return self

    def edit_json(self, file: str, change: Change) -> Folder:
        tree = json.loads((self.path / file).read_text())
        (self.path / file).write_text(json.dumps(change(tree)))
        return self


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[Path], Folder]:
    """Copy a folder of recordings to one that the test may change."""
    return lambda source: Folder.copy(source, tmp_path / "recordings")


@pytest.fixture
def run_verify() -> Callable[..., tuple[int, str]]:
    """Run `seer-bench verify SUBJECT`, with `--golden` if a folder is given; exit code and output."""

    def run(subject: str, folder: Folder | None = None, *options: str) -> tuple[int, str]:
        golden = [] if folder is None else ["--golden", str(folder.path)]
        result = CliRunner().invoke(app, ["verify", subject, *golden, *options])
        if isinstance(result.exception, SeerBenchError):  # `seer_bench.cli.main` makes this a message and code 2
            return 2, f"{result.output}\n{result.exception}"
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.output

    return run
