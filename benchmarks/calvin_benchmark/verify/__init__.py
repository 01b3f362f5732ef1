"""`seer-bench verify calvin`: the proof that our simulation and task checks equal what was recorded upstream.

Recordings are read by `recording`, compared by the comparators that `kinds` lists, and judged by `compare`. `live`
compares with a second simulation instead, and `record` makes a set of recordings with our own, such as the small one
in the package.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from seer_bench.errors import AssetError, InvalidActionError, UsageError
from seer_bench.verification import Verdict

from ..assets import scene_root
from ..facts import facts
from ..scene import load_scene
from .compare import Comparison
from .kinds import KINDS
from .live import backend_factory, compare_live
from .recording import RecordError, Recording, read_index
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

    def verify(self, golden: Path | None = None, *, against: str | None = None) -> Iterator[Verdict]:
        """Compare record by record; each verdict comes as soon as it is known.

        Args:
            golden: folder of recordings; None for the packaged set, which our own simulation made: it shows that
                this machine computes what ours did, not that ours equals upstream.
            against: name of a backend to compare with live; recordings are then not read.

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
            yield from self._verify_folder(golden)
        else:
            yield from self._verify_packaged()

    def _verify_folder(self, folder: Path) -> Iterator[Verdict]:
        recordings = read_index(folder)
        for scene in {r.scene for r in recordings if r.kind in KINDS and KINDS[r.kind].simulates}:
            scene_root(load_scene(scene))  # refuse before work starts
        compared = False
        for recording in recordings:
            verdict = self._verify_record(recording)
            compared = compared or verdict.status != "skipped"
            yield verdict
        if not compared:
            raise UsageError(f"nothing in {folder} could be compared; known kinds: {', '.join(KINDS)}")

    def _verify_packaged(self) -> Iterator[Verdict]:
        for recording in read_index(packaged_folder()):
            try:
                scene_root(load_scene(recording.scene))
            except AssetError as error:
                yield Verdict(recording.name, recording.kind, "skipped", "nothing", detail=str(error))
                continue
            yield self._verify_record(recording)

    def _verify_record(self, recording: Recording) -> Verdict:
        if recording.kind not in KINDS:
            detail = f"unknown kind; known: {', '.join(KINDS)}"
            return Verdict(recording.name, recording.kind, "skipped", "nothing", detail=detail)
        comparison = Comparison()
        try:
            KINDS[recording.kind].compare(recording, comparison, self._make_world)
            comparison.note_unused(recording.unused_arrays())
        except (RecordError, UsageError, InvalidActionError) as error:
            comparison.fault(str(error))
        return comparison.verdict(recording.name, recording.kind)


def packaged_folder() -> Path:
    """Where the packaged recordings lie."""
    return Path(str(files("calvin_benchmark").joinpath("data/verify")))
