"""A sheet of paper that is filled from the top: heading, panels, notes, in inches."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from seer_bench.report.figures.style import DPI, GREY, LINE, WIDTH
from seer_bench.report.figures.text import wrap

MARGIN = 0.06
"""Inches that stay empty around everything."""
ROOM = WIDTH - 2 * MARGIN
"""Inches between the margins."""

Segment = tuple[tuple[float, float], tuple[float, float]]
"""Two places, each inches from the left and from the top."""


class Sheet:
    """A figure of a known height. Places are inches from the left and from the top.

    Args:
        heading: what stands at its top.
        notes: what stands at its foot, in small print.
        inner: inches between the two.
    """

    def __init__(self, heading: str, notes: Sequence[str], inner: float) -> None:
        self.heading = heading
        above = wrap(heading, ROOM)
        below = [line for note in notes for line in wrap(note, ROOM)]
        self._height = 2 * MARGIN + (len(above) + len(below)) * LINE + inner
        self.top = MARGIN + len(above) * LINE
        """Where the inner part begins."""
        self.figure = Figure(figsize=(WIDTH, self._height))
        self.text(MARGIN, MARGIN, above)
        self.text(MARGIN, self.top + inner, below, colour=GREY)

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """A panel."""
        bottom = self._height - top - height
        return self.figure.add_axes((left / WIDTH, bottom / self._height, width / WIDTH, height / self._height))

    def text(
        self, left: float, top: float, lines: Sequence[str], *, colour: str = "black", align: str = "left"
    ) -> None:
        """Lines of text, the first of them right below `top`."""
        for i, line in enumerate(lines):
            y = self._height - top - (i + 0.5) * LINE
            self._add(Text(left, y, line, color=colour, ha=align, va="center_baseline"))

    def line(self, xs: Sequence[float], tops: Sequence[float], **look: Any) -> None:
        """A line through some places, or marks at them."""
        self._add(Line2D(xs, [self._height - top for top in tops], **look))

    def segments(self, segments: Sequence[Segment], *, colour: str, width: float, above: float) -> None:
        """Separate straight lines of one look; what is further above hides the rest."""
        flipped = [[(x, self._height - top) for x, top in segment] for segment in segments]
        self._add(LineCollection(flipped, colors=colour, linewidths=width, zorder=above))

    def png(self) -> bytes:
        """The sheet as pixels, the same bytes for the same sheet."""
        file = io.BytesIO()
        packed = {"compress_level": 4}  # half the time for a tenth of the size
        canvas = FigureCanvasAgg(self.figure)
        canvas.print_figure(file, format="png", dpi=DPI, metadata={"Software": None}, pil_kwargs=packed)
        return file.getvalue()

    def pdf(self) -> bytes:
        """The sheet as vectors with its fonts, the same bytes for the same sheet."""
        file = io.BytesIO()
        metadata = {"Title": self.heading, "Creator": None, "Producer": None, "CreationDate": None}
        FigureCanvasPdf(self.figure).print_figure(file, format="pdf", metadata=metadata)
        return file.getvalue()

    def _add(self, artist: Artist) -> None:
        """Add what is given in inches from the lower left."""
        artist.set_transform(self.figure.dpi_scale_trans)
        self.figure.add_artist(artist)
