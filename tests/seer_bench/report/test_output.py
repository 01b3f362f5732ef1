"""What `write_report` leaves in a folder: whole files of every format, and nothing of an earlier report."""

from __future__ import annotations

import csv
import io
import sys

import pyarrow
import pytest
from pyarrow import parquet as reader
from typer.testing import CliRunner

from seer_bench.cli import app
from seer_bench.errors import UsageError
from seer_bench.report import build_report, output, write_report
from seer_bench.report.writers import parquet

TEXT, COUNT, NUMBER = pyarrow.string(), pyarrow.int64(), pyarrow.float64()


@pytest.fixture(scope="module")
def report(fake, write_shared):
    """Rows of chains and of tasks."""
    arm = {"data": "10%"}
    write_shared("a", [fake.chain(i, i % 6) for i in range(10)], fake.make_manifest(arm=arm))
    write_shared("b", [fake.chain(0, 3)], fake.make_manifest(policy="=SUM(1)", checkpoint=None))
    path = write_shared("c", fake.rollouts(2, 1), fake.make_manifest(fake.task_protocol()))
    return build_report([path.parent])


def tables(folder) -> dict[str, tuple[list[dict[str, str]], pyarrow.Table]]:
    """CSV lines and Parquet table of every pair of files."""
    return {
        path.stem: (
            list(csv.DictReader(io.StringIO(path.read_text()))),
            reader.read_table(path.with_suffix(".parquet")),
        )
        for path in folder.glob("*.csv")
    }


def test_figures_and_parquet_lie_beside_the_tables(report, tmp_path):
    paths = write_report(report, tmp_path / "out")
    written = {path.name for path in paths if path.parent == tmp_path / "out"}
    assert written == {path.name for path in (tmp_path / "out").iterdir() if path.is_file()}
    assert {"table2.png", "table2.pdf", "table2.parquet", "table2_tasks.parquet", "figure3.png"} <= written
    assert "figure5.png" not in written
    assert {name.removesuffix(".csv") for name in written if name.endswith(".csv")} == {
        name.removesuffix(".parquet") for name in written if name.endswith(".parquet")
    }
    for path in (tmp_path / "out").iterdir():
        assert path.is_dir() or path.stat().st_mode & 0o777 == 0o644


def test_parquet_holds_the_values_of_the_csv(report, tmp_path):
    write_report(report, tmp_path)
    read = {"string": str, "int64": int, "double": float}
    for name, (lines, table) in tables(tmp_path).items():
        assert table.num_rows == len(lines), name
        for column in table.schema:
            expected = [read[str(column.type)](line[column.name]) if line[column.name] else None for line in lines]
            assert table.column(column.name).to_pylist() == expected, (name, column.name)


def test_parquet_columns_have_the_same_types_with_runs_and_without(report, tmp_path):
    write_report(report, tmp_path / "runs")
    write_report(build_report([tmp_path / "nowhere"]), tmp_path / "none")
    full, empty = tables(tmp_path / "runs"), tables(tmp_path / "none")
    assert set(full) == set(empty)
    for name, (_, table) in full.items():
        types = dict(zip(table.schema.names, table.schema.types, strict=True))
        for column in empty[name][1].schema:
            assert types[column.name] == column.type, (name, column.name)
    types = {field.name: field.type for field in full["table2"][1].schema}
    assert [types[n] for n in ("method", "notes", "rate_1_verdict")] == [TEXT] * 3
    assert [types[n] for n in ("n", "planned", "checkpoints", "errors")] == [COUNT] * 4
    assert [types[n] for n in ("rate_1", "average_length_low", "rate_5_difference")] == [NUMBER] * 3


def test_a_column_of_words_under_a_name_of_numbers_stays_text():
    table = reader.read_table(io.BytesIO(parquet.render("checkpoints,n,new\nbest 3,7,\n,,0.5\n")))
    assert table.to_pylist() == [
        {"checkpoints": "best 3", "n": 7, "new": None},
        {"checkpoints": None, "n": None, "new": 0.5},
    ]


def test_without_the_library_there_is_no_parquet_and_one_sentence_says_so(report, tmp_path, monkeypatch):
    assert output.not_written() == ""
    alone = report.only("table2")
    write_report(alone, tmp_path)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    written = write_report(alone, tmp_path)
    assert output.not_written() == "Parquet files need: pip install pyarrow"
    assert not [path for path in written if path.suffix == ".parquet"]
    assert not list(tmp_path.glob("*.parquet"))
    told = CliRunner().invoke(app, ["report", str(tmp_path), "--only", "table3a", "--out", str(tmp_path / "out")])
    assert "Parquet files need: pip install pyarrow" in told.stdout


def test_figures_of_an_earlier_report_do_not_stay(report, tmp_path):
    write_report(report.only("figure3"), tmp_path / "out")
    own = tmp_path / "out" / "mine.png"
    own.write_bytes(b"")
    assert (tmp_path / "out" / "figure3.pdf").exists()
    write_report(build_report([tmp_path / "nowhere"]).only("figure3"), tmp_path / "out")
    assert not list((tmp_path / "out").glob("figure3.p*[gf]"))
    assert own.exists()


def test_one_table_alone_leaves_the_files_of_the_others(report, tmp_path):
    write_report(report.only("figure3"), tmp_path)
    before = (tmp_path / "figure3.png").read_bytes()
    write_report(report.only("table2"), tmp_path)
    assert (tmp_path / "figure3.png").read_bytes() == before


def test_a_folder_that_cannot_be_written_to_is_refused(report, tmp_path):
    taken = tmp_path / "taken"
    taken.write_text("a file")
    with pytest.raises(UsageError, match=r"taken: File exists\. Choose another folder with --out\."):
        write_report(report.only("table3a"), taken)


def test_nothing_is_written_when_a_figure_cannot_be_drawn(report, tmp_path, monkeypatch):
    def fail(_):
        raise RuntimeError("no figure")

    monkeypatch.setattr(output.figures, "render", fail)
    with pytest.raises(RuntimeError, match="no figure"):
        write_report(report, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_file_that_cannot_be_replaced_keeps_its_old_content(report, tmp_path, monkeypatch):
    alone = report.only("table3a")
    write_report(alone, tmp_path / "out")
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir() if path.is_file()}

    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(output.Path, "replace", full)
    with pytest.raises(UsageError, match="No space left on device"):
        write_report(alone, tmp_path / "out")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir() if path.is_file()} == before
