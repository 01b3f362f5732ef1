"""The one world that a process keeps, from episode to episode of a task."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .suites import Task
from .world import World

if TYPE_CHECKING:
    from .state import StateReader

WorldFactory = Callable[[Task], World]


class WarmWorld:
    """One world at a time, because a world takes seconds to build and most of the memory that a worker may have.

    Args:
        make_world: builds the world of a task.
    """

    def __init__(self, make_world: WorldFactory) -> None:
        self._make_world = make_world
        self._reader: StateReader | None = None
        self.now: World | None = None
        """The world of the last task asked for; None before the first and after `close`."""

    def of(self, task: Task) -> World:
        """The world of a task; the one before is closed.

        Raises:
            AssetError: the scene's files are missing or altered.
            SimulationError: the world cannot be built.
        """
        if self.now is None or self.now.task != task:
            self.close()
            self.now = self._make_world(task)
        return self.now

    def reader(self, world: World) -> StateReader:
        """What reads the state of the present world."""
        if self._reader is None:
            from .state import StateReader  # imports MuJoCo, which has to wait until OpenGL is chosen

            self._reader = StateReader(world)
        return self._reader

    def close(self) -> None:
        """Close the world, if there is one."""
        self._reader = None
        if self.now is not None:
            self.now.close()
            self.now = None
