"""Registers the plugins' environments with Gymnasium, whichever of the two packages is imported first.

Gymnasium 1.0 dropped the entry points through which it used to find environments, so a package has to register its
own when it is imported. Importing Gymnasium for that would make `import seer_bench` three times as slow; instead the
registration waits until somebody else imports it.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec
    from types import ModuleType

ENVIRONMENTS = "seer_bench.environments"
"""Entry point group: "CalvinABCD-v0" = "calvin_benchmark.env:make_env" becomes `seer_bench/CalvinABCD-v0`."""


def register_environments() -> None:
    """Register now where Gymnasium is imported already, else as soon as it is."""
    if "gymnasium" in sys.modules:
        _register()
    else:
        sys.meta_path.insert(0, _AfterGymnasium())


def _register() -> None:
    """Tell Gymnasium every environment by name; nothing is imported before it is made."""
    from importlib.metadata import entry_points

    from gymnasium.envs.registration import register, registry

    for entry in entry_points(group=ENVIRONMENTS):
        name = f"seer_bench/{entry.name}"
        if name not in registry:
            register(id=name, entry_point=entry.value)


class _AfterGymnasium:
    """Steps aside once Gymnasium is found, and registers when its import is done."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - the interface is Python's
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """Let the other finders find Gymnasium, and wrap its loader."""
        if fullname != "gymnasium":
            return None
        sys.meta_path.remove(self)
        spec = find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = cast("Loader", _Registering(spec.loader))
        return spec


class _Registering:
    """A loader that registers the environments after the module has run."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """As the wrapped loader does."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Run the module, then register."""
        self._loader.exec_module(module)
        _register()
