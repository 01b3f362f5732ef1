"""Frames to an mp4 file."""

from __future__ import annotations

import errno
import os
import shlex
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from seer_bench.contracts import Array
from seer_bench.errors import StoreError
from seer_bench.store.videos import FRAMES_PER_SECOND

FINE, SMALL = 15, 24
"""Qualities (x264's CRF): for looking closely, and for many films in one folder at a third of the size."""

_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EFBIG)


def cannot_film(path: Path, reason: str | None) -> StoreError:
    """What to say when a film, or the folder `videos`, cannot be written."""
    run = path.parent if path.name == "videos" else path.parent.parent
    return StoreError(
        f"{path}: cannot be written: {reason or 'unknown reason'}. The records are not affected. Make room, or make it "
        f"writable, and repeat: seer-bench video {shlex.quote(str(run))}"
    )


@contextmanager
def open_writer(path: Path, quality: int = FINE) -> Iterator[Callable[[Array], None]]:
    """An H.264 film that plays everywhere; the yielded function adds one frame, and the first one sets the size.

    Args:
        path: the film.
        quality: `FINE` or `SMALL`.

    Raises:
        StoreError: the film could not be written whole.
    """
    films: list[subprocess.Popen[bytes]] = []

    def write(frame: Array) -> None:
        if not films:
            height, width = frame.shape[:2]
            films.append(_start_ffmpeg(path, height, width, quality))
        pipe = films[0].stdin
        assert pipe is not None  # noqa: S101 - it is a pipe, for the type checker
        try:
            pipe.write(np.ascontiguousarray(frame).data)
        except OSError as error:  # it ended before the film did, and says why
            raise cannot_film(path, _end_ffmpeg(films[0])) from error

    try:
        yield write
        if films and (reason := _end_ffmpeg(films[0])):
            raise cannot_film(path, reason)
    finally:
        for film in films:
            if film.poll() is None:
                film.kill()
            with suppress(OSError, ValueError):
                film.communicate()


def _start_ffmpeg(path: Path, height: int, width: int, quality: int) -> subprocess.Popen[bytes]:
    """The encoder, reading RGB frames; not through `imageio_ffmpeg.write_frames`, which hides how it ended."""
    from imageio_ffmpeg import get_ffmpeg_exe

    try:
        path.open("wb").close()
    except OSError as error:
        raise cannot_film(path, error.strerror) from error
    picture = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(FRAMES_PER_SECOND)]
    coding = ["-an", "-c:v", "libx264", "-crf", str(quality), "-pix_fmt", "yuv420p", "-movflags", "+faststart"]
    command = [get_ffmpeg_exe(), "-y", "-v", "error", *picture, "-i", "-", *coding, str(path)]
    pipe = subprocess.PIPE
    # In a session of its own, so that Ctrl-C reaches us alone.
    return subprocess.Popen(command, stdin=pipe, stderr=pipe, start_new_session=True)  # noqa: S603 - no shell


def _end_ffmpeg(film: subprocess.Popen[bytes]) -> str:
    """End a film; why it is not whole, or nothing."""
    try:
        _, said = film.communicate()
    except OSError:
        said = b""
    if film.returncode == 0:
        return ""
    lines = said.decode(errors="replace").strip().splitlines()
    known = next((line for line in lines if any(os.strerror(code) in line for code in _DISK_ERRORS)), "")
    return (known or (lines[-1] if lines else f"ffmpeg ended with code {film.returncode}")).rstrip(".")
