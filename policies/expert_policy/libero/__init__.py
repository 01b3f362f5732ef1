"""How to solve each of LIBERO-LONG's ten tasks."""

from __future__ import annotations

from collections.abc import Mapping

from ..plan import Planner
from . import basket, caddy, drawer, microwave, mugs, pots, stove
from .controller import OscController

__all__ = ["PLANNERS", "OscController"]

_MODULES = (basket, caddy, drawer, microwave, mugs, pots, stove)

PLANNERS: Mapping[str, Planner] = {name: planner for module in _MODULES for name, planner in module.PLANNERS.items()}
"""By the task's name in the suite."""
