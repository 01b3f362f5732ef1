"""Published results of other policies: in every format, a group a protocol, never beside the paper's or our rows."""

from __future__ import annotations

import csv
import io
import json

import pytest

from seer_bench.report import build_report, write_report
from seer_bench.report.reference import load_chain_reference, load_task_reference
from seer_bench.report.tables import paper_table


@pytest.fixture(scope="module")
def written(fake, tmp_path_factory) -> dict[str, str]:
    """The files of a report with one complete run."""
    folder = tmp_path_factory.mktemp("published")
    fake.write_session(folder / "runs" / "a", [fake.chain(i, 4) for i in range(10)])
    report = build_report([folder / "runs"])
    return fake.texts(path for key in ("table1", "table2") for path in write_report(report.only(key), folder / key))


def test_json_holds_every_published_row_in_its_group(written):
    for key, reference in (
        ("table1", load_task_reference("libero-long")),
        ("table2", load_chain_reference("calvin-abc-d")),
    ):
        groups = json.loads(written[f"{key}.json"])["published"]
        assert [group["group"] for group in groups] == [group.key for group in reference.groups]
        assert [row["method"] for group in groups for row in group["rows"]] == [
            row.method for group in reference.groups for row in reference.in_group(group.key)
        ]


def test_values_are_in_the_units_of_the_measures_and_unknown_ones_are_null(written):
    rows = {row["method"]: row for g in json.loads(written["table2.json"])["published"] for row in g["rows"]}
    assert rows["Seer-Large"]["values"]["rate_1"] == pytest.approx(0.963)
    assert rows["Seer-Large"]["values"]["average_length"] == 4.28
    assert rows["Seer-Large"]["source"]["where"] == "arXiv:2412.15109"
    reference = {row.method: row for row in load_chain_reference("calvin-abc-d").rows}
    unknown = [name for name, row in reference.items() if None in row.result.rates]
    for name in unknown:
        assert None in rows[name]["values"].values()


def test_csv_is_a_file_of_its_own_with_the_protocol_on_every_line(written):
    lines = list(csv.DictReader(io.StringIO(written["table2_published.csv"])))
    (large,) = (line for line in lines if line["method"] == "Seer-Large")
    (row,) = (row for row in load_chain_reference("calvin-abc-d").rows if row.method == "Seer-Large")
    assert (float(large["average_length"]), large["verified"]) == (4.28, row.verified.how)
    assert large["group"] == row.comparable
    assert all(line["group"] for line in lines)
    main = [line["method"] for line in csv.DictReader(io.StringIO(written["table2.csv"]))]
    assert "Seer-Large" not in main
    assert "average" in next(csv.DictReader(io.StringIO(written["table1_published.csv"])))


def test_latex_has_a_table_a_protocol_that_says_not_to_rank(written):
    text = written["table2.tex"]
    main, *others = text.split(r"\begin{table}")[1:]
    assert "FLOWER" not in main
    published = [part for part in others if "Published results on" in part]
    assert len(published) == len([g for g in load_chain_reference("calvin-abc-d").groups if _rows(g.key)])
    assert all("not to be ranked with it" in part for part in published)
    assert not any(r"\textbf" in part for part in published)
    assert sum("FLOWER" in part for part in published) >= 1


def test_ours_stand_among_published_results_of_the_same_protocol_alone(fake, write_run):
    write_run("same", [fake.chain(i, 4) for i in range(10)])
    other = fake.make_protocol("calvin-embedded/v1", comparable="another scene")
    path = write_run("other", [fake.chain(i, 4) for i in range(10)], fake.make_manifest(other))
    document = build_report([path.parent]).table("table2").document
    names = {
        table.title: [row[0].text for group in table.groups for row in group]
        for table in document.tables
        if table.title.startswith("Published")
    }
    holding = [title for title, rows in names.items() if "seer · epoch_19.pth" in rows]
    expected = [g for g in paper_table("table2").published.table.groups if "calvin-abc-d/v1" in g.protocols]
    assert len(holding) == len(expected)
    assert sum(rows.count("seer · epoch_19.pth") for rows in names.values()) == len(expected)


def _rows(key: str) -> tuple:
    return load_chain_reference("calvin-abc-d").in_group(key)
