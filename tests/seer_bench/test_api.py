"""The public API is a promise: a change of it must be made on purpose, here."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import seer_bench

SNAPSHOT = Path(__file__).parent / "api.txt"


def describe(name: str) -> str:
    """A public name with its signature, or its fields."""
    thing = getattr(seer_bench, name)
    if inspect.isclass(thing) and hasattr(thing, "__dataclass_fields__"):
        return f"{name}({', '.join(f'{f.name}: {f.type}' for f in thing.__dataclass_fields__.values())})"
    if inspect.isclass(thing):
        public = [
            f"{key}{inspect.signature(value)}" if inspect.isfunction(value) else key
            for key, value in sorted(vars(thing).items())
            if not key.startswith("_")
        ]
        return f"{name}[{thing.__mro__[1].__name__}] {'; '.join(public)}".rstrip()
    return f"{name}{inspect.signature(thing)}"


def test_the_public_api_is_the_recorded_one():
    current = "\n".join(describe(name) for name in seer_bench.__all__) + "\n"
    assert current == SNAPSHOT.read_text(), "write the new API to tests/seer_bench/api.txt if the change is meant"


def test_importing_the_package_loads_nothing_heavy():
    code = "import sys, seer_bench; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "gymnasium", "pandas", "pybullet", "rich", "scipy", "torch", "typer"} & set(loaded)


def test_every_export_can_be_imported_from_its_home():
    for name in seer_bench.__all__:
        assert getattr(seer_bench, name).__name__ == name
    assert set(dir(seer_bench)) == set(seer_bench.__all__)


def test_environments_are_registered_whichever_package_comes_first():
    for order in ("seer_bench, gymnasium", "gymnasium, seer_bench"):
        code = f"import {order}; assert 'seer_bench/CalvinABCD-v0' in gymnasium.registry"
        subprocess.run([sys.executable, "-c", code], check=True)
