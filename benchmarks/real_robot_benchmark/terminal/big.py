"""Letters three lines high, drawn with half blocks: some 20 of them fit in a line of 80."""

from __future__ import annotations

_SIGNS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ :,.-/'"
_POINTS = """
    75557 26227 71747 71717 55711 74717 74757 71122 75757 75717
    25755 65656 34443 65556 74647 74644 34553 55755 72227 11152 55655 44447 57755
    65555 25552 65644 25563 65655 34216 72222 55557 55552 55775 55255 55222 71247
    00000 02020 00024 00002 00700 11244 22000
"""
_DRAWN = {sign: [f"{int(row):03b}" for row in rows] for sign, rows in zip(_SIGNS, _POINTS.split(), strict=True)} | {
    "M": ["10001", "11011", "10101", "10001", "10001"],
    "N": ["1001", "1101", "1011", "1001", "1001"],
    "W": ["10001", "10001", "10101", "11011", "10001"],
}
"""Five rows of points; of most letters three wide, written above as an octal digit a row."""
_BLOCKS = " ▄▀█"


def fits(text: str, width: int) -> bool:
    """Whether a text has a drawing that is at most `width` columns wide."""
    drawn = [_DRAWN.get(sign) for sign in text.upper()]
    return all(drawn) and sum(len(rows[0]) + 1 for rows in drawn if rows) - 1 <= width


def draw(text: str) -> list[str]:
    """The three lines of a text whose letters all have a drawing."""
    glyphs = [_DRAWN[sign] for sign in text.upper()]
    lines = []
    for upper, lower in ((0, 1), (2, 3), (4, 5)):
        pairs = ([*glyph, "0" * len(glyph[0])] for glyph in glyphs)
        lines.append(
            " ".join("".join(_BLOCKS[int(a + b, 2)] for a, b in zip(p[upper], p[lower], strict=True)) for p in pairs)
        )
    return lines
