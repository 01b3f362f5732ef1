"""Importing LIBERO without its side effects.

Upstream's import asks a question on the terminal and writes `~/.libero`; robosuite's opens `/tmp/robosuite.log` and
warns, and fails where Numba finds no folder for compiled code; matplotlib's makes a folder in the home directory.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

_CONFIG = "LIBERO_CONFIG_PATH"
_NUMBA_CACHE = "NUMBA_CACHE_DIR"


@contextmanager
def no_side_effects() -> Iterator[None]:
    """Import LIBERO within this: modules whose import writes or warns have stand-ins meanwhile."""
    if not _numba_can_cache():
        os.environ[_NUMBA_CACHE] = _temporary_folder()
    stand_ins: dict[str, ModuleType] = {}
    if "robosuite" not in sys.modules:
        # Its absence is what robosuite warns about, in a log file that it opens for that purpose.
        stand_ins["robosuite.macros_private"] = ModuleType("robosuite.macros_private")
    if "matplotlib" not in sys.modules:
        package, colours = ModuleType("matplotlib"), _Deferred("matplotlib.cm")
        package.__dict__["cm"] = colours
        stand_ins |= {"matplotlib": package, "matplotlib.cm": colours}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name, module in stand_ins.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]


def answer_configuration() -> None:
    """Name upstream's folders in a temporary configuration, where upstream would ask for them and write the answer.

    A configuration that the user has made stands.
    """
    home = Path(os.environ.get(_CONFIG, "~/.libero")).expanduser()
    spec = find_spec("libero")
    if (home / "config.yaml").is_file() or spec is None or not spec.submodule_search_locations:
        return
    root = Path(next(iter(spec.submodule_search_locations))) / "libero"
    folders = {"bddl_files": "bddl_files", "init_states": "init_files", "assets": "assets", "datasets": "../datasets"}
    text = json.dumps({"benchmark_root": str(root), **{key: str(root / name) for key, name in folders.items()}})
    folder = _temporary_folder()
    Path(folder, "config.yaml").write_text(text, encoding="utf-8")  # JSON is YAML
    os.environ[_CONFIG] = folder


class _Deferred(ModuleType):
    """Becomes the module of its name when something in it is first asked for."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(importlib.import_module(self.__name__), name)


def _numba_can_cache() -> bool:
    """Whether Numba finds a folder for compiled code, beside robosuite or in the user's cache."""
    if _NUMBA_CACHE in os.environ:
        return True
    spec = find_spec("robosuite")
    places = [Path(place, "utils") for place in (spec.submodule_search_locations or ())] if spec else []
    places.append(Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser())
    return any(_writable(place) for place in places)


def _writable(folder: Path) -> bool:
    """Whether files can be made in a folder, which may have to be made itself."""
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    return os.access(existing, os.W_OK)


def _temporary_folder() -> str:
    """A folder of this process, removed at its end."""
    folder = tempfile.mkdtemp(prefix="seer-bench-libero-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
