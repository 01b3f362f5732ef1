"""From the bytes of a CSV file to its rows, whatever spreadsheet wrote it."""

from __future__ import annotations

import codecs
import csv
import io
from pathlib import Path

from real_robot_benchmark.reading import Fault
from seer_bench.errors import UsageError

_MOST_BYTES = 50_000_000


def read_bytes(path: Path) -> bytes:
    """The file, if it is one of a sane size; raises UsageError."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UsageError(f"{path}: has {path.stat().st_size} bytes, more than a campaign can have.")
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}.") from error


def decode(data: bytes) -> str:
    """The text; spreadsheets on Windows write other codes than UTF-8."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def split_rows(text: str) -> tuple[list[tuple[int, list[str]]], list[Fault]]:
    """Rows with the line that each begins at, up to the first one that is no CSV, which is a fault."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    rows: list[tuple[int, list[str]]] = []
    line = 1
    try:
        for values in reader:
            rows.append((line, values))
            line = reader.line_num + 1
    except csv.Error as error:
        return rows, [Fault(line, f"is no CSV ({error}); look for a quote that is not closed.")]
    return rows, []


def _delimiter(text: str) -> str:
    """What stands between the columns of the header."""
    header = text.partition("\n")[0]
    return max(",;\t", key=header.count)
