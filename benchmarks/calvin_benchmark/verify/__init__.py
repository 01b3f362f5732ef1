"""`seer-bench verify calvin`: the proof that our simulation and task checks equal what was recorded upstream.

Recordings are read by `recording`, compared by the comparators that `kinds` lists, and judged within `bounds`. `live`
compares with a second simulation instead, and `record` makes a set of recordings with our own, such as the small one
in the package.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path

from seer_bench.errors import AssetError, UsageError
from seer_bench.verification import Progress, Verdict
from seer_bench.verification.records import Comparator, verify_record, verify_records

from ..assets import scene_root
from ..facts import facts
from ..scene import load_scene
from .bounds import BOUNDS
from .kinds import KINDS
from .live import backend_factory, compare_live
from .recording import CalvinRecording, read_index
from .replays import WorldFactory, own_world

__all__ = ["CalvinVerifier"]


class CalvinVerifier:
    """Replays recordings of CALVIN and compares them bit for bit.

    Args:
        make_world: builds the world for a record and renderer; replaced to verify another simulation.
    """

    def __init__(self, make_world: WorldFactory = own_world) -> None:
        self._make_world = make_world

    def facts(self) -> dict[str, str]:
        """Versions, processor, renderers, OpenGL driver and assets."""
        return facts(egl=True)

    def verify(
        self, golden: Path | None = None, *, against: str | None = None, progress: Progress | None = None
    ) -> Iterator[Verdict]:
        """Compare record by record; each verdict comes as soon as it is known.

        Args:
            golden: folder of recordings; None for the packaged set, which our own simulation made: it shows that
                this machine computes what ours did, not that ours equals upstream.
            against: name of a backend to compare with live; recordings are then not read.
            progress: told which record is being compared and how much of it is done.

        Raises:
            UsageError: the folder is no folder of recordings, its index is broken, nothing in it could be compared,
                or there is no such backend.
            AssetError: a record of `golden` needs assets that are missing or altered. Records of the packaged set
                that need them are skipped instead.
        """
        if against is not None:
            if golden is not None:
                raise UsageError("--golden and --against exclude one another: compare with recordings, or live.")
            yield from compare_live(against, backend_factory(against))
        elif golden is not None:
            yield from self._verify_folder(golden, progress)
        else:
            yield from self._verify_packaged(progress)

    def _verify_folder(self, folder: Path, progress: Progress | None) -> Iterator[Verdict]:
        recordings = read_index(folder)
        for scene in {r.scene for r in recordings if r.kind in KINDS and KINDS[r.kind].simulates}:
            scene_root(load_scene(scene))  # refuse before work starts
        yield from verify_records(recordings, self._comparators(), BOUNDS, folder=folder, progress=progress)

    def _verify_packaged(self, progress: Progress | None) -> Iterator[Verdict]:
        for recording in read_index(packaged_folder()):
            try:
                scene_root(load_scene(recording.scene))
            except AssetError as error:
                yield Verdict(recording.name, recording.kind, "skipped", "nothing", detail=str(error))
                continue
            yield verify_record(recording, self._comparators(), BOUNDS, progress=progress)

    def _comparators(self) -> Mapping[str, Comparator[CalvinRecording]]:
        return {name: kind.with_worlds(self._make_world) for name, kind in KINDS.items()}


def packaged_folder() -> Path:
    """Where the packaged recordings lie."""
    return Path(str(files("calvin_benchmark").joinpath("data/verify")))
