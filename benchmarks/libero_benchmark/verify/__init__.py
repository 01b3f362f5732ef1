"""`seer-bench verify libero`: the proof that our worlds and goal checks equal what was recorded upstream.

Recordings are read by `recording` and compared by the comparators of `replays`, `cases` and `tables`, in one world per
task that is kept from episode to episode: they prove the way in which runs reuse it, too. `record` makes a set of
recordings with our own worlds, such as the small one in the package.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path

from seer_bench.errors import UnknownNameError
from seer_bench.verification import Progress, Verdict
from seer_bench.verification.compare import Comparison
from seer_bench.verification.records import Comparator, verify_records

from ..facts import facts
from ..package import check_versions, load_upstream
from ..warm import WorldFactory
from ..world import World
from .bounds import BOUNDS
from .cases import compare_success_cases
from .recording import LiberoRecording, read_index, unclaimed_pictures
from .replays import compare_expert, compare_trajectories
from .tables import compare_fixture_poses, compare_init_states
from .worlds import Worlds

__all__ = ["LiberoVerifier"]


class LiberoVerifier:
    """Replays recordings of LIBERO and compares them bit for bit.

    Args:
        make_world: builds the world of a task; replaced to verify another simulation.
    """

    def __init__(self, make_world: WorldFactory = World) -> None:
        self._make_world = make_world

    def facts(self) -> dict[str, str]:
        """Versions, processor, arithmetic and OpenGL driver."""
        return facts(opengl=True)

    def verify(
        self, golden: Path | None = None, *, against: str | None = None, progress: Progress | None = None
    ) -> Iterator[Verdict]:
        """Compare record by record; each verdict comes as soon as it is known.

        Args:
            golden: folder of recordings; None for the packaged set, which our own worlds made: it shows that this
                machine computes what ours did, not that ours equals upstream.
            against: there is nothing to compare with live, because our worlds drive upstream's own simulation.
            progress: told which record is being compared and how much of it is done.

        Raises:
            UsageError: the folder is no folder of recordings, its index is broken, nothing in it could be compared,
                `against` is given, a package is of another version than the pinned one, or `MUJOCO_GL` names a display.
            MissingExtraError: LIBERO is not installed.
            AssetError: its files are missing or altered.
            SimulationError: it cannot be imported.
        """
        if against is not None:
            raise UnknownNameError("backend to compare LIBERO with", against, ())
        check_versions()
        load_upstream()  # what this machine lacks is no recording's fault
        folder = packaged_folder() if golden is None else golden
        recordings = read_index(folder)
        worlds = Worlds(self._make_world)
        try:
            yield from verify_records(recordings, _comparators(worlds), BOUNDS, folder=folder, progress=progress)
        finally:
            worlds.close()
        if pictures := unclaimed_pictures(recordings):
            rest = Comparison(BOUNDS)
            rest.skip(f"{len(pictures)} of them belong to no recorded episode")
            rest.note_unused(pictures)
            yield rest.verdict("images", "files")


def packaged_folder() -> Path:
    """Where the packaged recordings lie."""
    return Path(str(files("libero_benchmark").joinpath("data/verify")))


def _comparators(worlds: Worlds) -> Mapping[str, Comparator[LiberoRecording]]:
    """What compares each kind of record."""
    return {
        "trajectories": lambda recording, comparison: compare_trajectories(recording, comparison, worlds),
        "success_cases": lambda recording, comparison: compare_success_cases(recording, comparison, worlds),
        "expert_actions": lambda recording, comparison: compare_expert(recording, comparison, worlds),
        "fixture_poses": lambda recording, comparison: compare_fixture_poses(recording, comparison, worlds),
        "init_state_hashes": compare_init_states,
    }
