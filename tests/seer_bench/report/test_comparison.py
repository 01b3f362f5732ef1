"""Rows of ours beside the paper's: verdicts, differences, the best, and what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from calvin_benchmark.protocols import all_protocols as calvin_protocols
from libero_benchmark.protocols import all_protocols as libero_protocols
from seer_bench.report import build_report, report_json
from seer_bench.report.arms import arm_of_paper
from seer_bench.report.missing import Wanted, missing_hints
from seer_bench.report.served import SERVED


def rows_of(table) -> dict:
    return {row[0].text: row for group in table.groups for row in group}


@pytest.fixture(scope="module")
def report(fake, write_shared):
    """Complete runs of two arms of the paper: one that agrees in Avg. Len., one that is far above the print."""
    protocol = fake.make_protocol(count=100)
    # 94, 88, 80, 72 and 64 of 100 chains reach 1 to 5 subtasks, so Avg. Len. is 3.98, as printed.
    solved = [5] * 64 + [4] * 8 + [3] * 8 + [2] * 8 + [1] * 6 + [0] * 6
    write_shared("seer", [fake.chain(i, s) for i, s in enumerate(solved)], fake.make_manifest(protocol))
    scratch = fake.make_manifest(protocol, arm={"pretrained": "no"})
    path = write_shared("scratch", [fake.chain(i, 5) for i in range(100)], scratch)
    return build_report([path.parent], policies=["seer", "expert"])


def test_every_cell_has_verdict_and_difference(report):
    rows = rows_of(report.table("table2").document.tables[0])
    seer = rows["seer · epoch_19.pth"]
    assert [(cell.verdict, cell.difference) for cell in seer[1:6]] == [
        ("agrees", "−0.4"),
        ("agrees", "+0.8"),
        ("agrees", "+0.1"),
        ("agrees", "−0.2"),
        ("agrees", "−0.3"),
    ]
    assert seer[-2].text == "agrees (0.00)"
    scratch = rows["seer · epoch_19.pth · pretrained=no"]
    assert (scratch[1].verdict, scratch[1].difference) == ("differs", "+7.0")
    assert scratch[-2].text == "differs (+1.36)"
    assert rows["GR-1"][-2].text == "not run"
    assert rows["Seer"][-2].text == "–"


def test_rows_follow_the_row_of_the_paper_that_they_answer(report):
    groups = report.table("table2").document.tables[0].groups
    assert [[row[0].text for row in group] for group in groups[-2:]] == [
        ["Seer (w/o pretrain)", "seer · epoch_19.pth · pretrained=no"],
        ["Seer", "seer · epoch_19.pth"],
    ]


def test_json_holds_the_verdict_of_every_cell(report):
    arms = {arm["paper_row"]: arm for arm in report_json(report)["tables"]["table2"]["arms"]}
    value = arms["Seer (w/o pretrain)"]["values"]["average_length"]
    assert (value["verdict"], value["reason"], value["difference"]) == ("differs", "", pytest.approx(1.36))
    rate = arms["Seer"]["values"]["rate_2"]
    assert (rate["value"], rate["verdict"], rate["difference"]) == (0.88, "agrees", pytest.approx(0.008))


def test_the_best_is_marked_among_rows_that_compare_alone(report, fake, write_run):
    best = [row[6].text for row in rows_of(report.table("table2").document.tables[0]).values() if row[6].best]
    assert best == ["5.00"]
    protocol = fake.make_protocol(count=1)
    path = write_run("expert", [fake.chain(0, 5)], fake.make_manifest(protocol, policy="expert", privileged=True))
    rows = rows_of(build_report([path]).table("table2").document.tables[0])
    assert [name for name, row in rows.items() if row[6].best] == ["Seer"]


def test_ours_of_two_protocols_are_not_ranked_with_one_another(fake, write_run):
    for name, solved in (("calvin-abc-d/v1", 4), ("calvin-abc-d/seer-v1", 5)):
        for policy, less in (("good", 0), ("poor", 1)):
            manifest = fake.make_manifest(fake.make_protocol(name, count=1), policy=policy)
            path = write_run(f"{policy}{solved}", [fake.chain(0, solved - less)], manifest)
    groups = build_report([path.parent]).table("table2").document.tables[0].groups
    best = [(row[0].text.split()[0], row[-1].text) for group in groups for row in group if row[6].best]
    assert best == [("good", "calvin-abc-d/seer-v1"), ("good", "calvin-abc-d/v1")]


def test_a_run_under_another_protocol_stands_beside_the_row_and_does_not_fill_it(fake, write_run):
    tiny = fake.make_protocol("calvin-abc-d/v1-tiny", comparable="other pixels")
    report = build_report([write_run("tiny", [fake.chain(0, 5)], fake.make_manifest(tiny))], policies=["seer"])
    document = report.table("table2").document
    assert [(row[0].text, row[-2].text) for row in document.tables[0].groups[5]] == [
        ("Seer", "not run"),
        ("seer · epoch_19.pth", "not comparable"),
    ]
    assert any(hint.startswith("Seer: not run. Fill it with:") for hint in document.hints)


def test_a_method_with_a_protocol_of_its_own_stands_beside_its_own_published_rows(fake, write_run):
    protocol = fake.make_protocol("calvin-abc-d/diffuser-actor-v1", comparable="1,140 steps a subtask", count=1)
    manifest = fake.make_manifest(protocol, policy="remote", arm={"method": "3D Diffuser Actor"})
    path = write_run("run", [fake.chain(0, 5)], manifest)
    document = build_report([path], policies=["remote"]).table("table2").document
    (group,) = [g for g in document.tables[0].groups if g[0][0].text == "3D Diffuser Actor"]
    assert group[1][-2].text == "not comparable"
    assert not any(hint.startswith("3D Diffuser Actor: not run") for hint in document.hints)
    (published,) = [table for table in document.tables if table.page and len(table.groups) > 1]
    assert "60 calls" in published.title
    assert {row[0].text for row in published.groups[0]} == {"3D Diffuser Actor", "3D Diffuser Actor (3 seeds)"}


def test_published_results_are_a_table_a_protocol_with_ours_beside_them(report):
    tables = [table for table in report.table("table2").document.tables if table.page]
    assert len(tables) > 3
    ours = {table.title: [row[0].text for group in table.groups[1:] for row in group] for table in tables}
    assert [bool(rows) for rows in ours.values()] == [True] + [False] * (len(tables) - 1)
    assert not any(cell.best for table in tables for group in table.groups for row in group for cell in row)


def test_missing_rows_name_the_command_that_fills_them_and_what_it_needs():
    wanted = [
        Wanted(name, arm_of_paper(name), "calvin", "calvin-abc-d/v1")
        for name in ("Seer (w/o pretrain)", "GR-1", "Nobody's", "Somebody's")
    ]
    seer, absent, unknown = missing_hints(wanted, ["seer"])
    assert seer == (
        "Seer (w/o pretrain): not run. Fill it with: seer-bench run calvin --policy seer --protocol calvin-abc-d/v1 "
        "--ckpt CHECKPOINT --arm pretrained=no"
    )
    assert absent == (
        "GR-1: not run. Policies not installed: gr1 (installed are: seer). A plugin called gr1 would fill GR-1 with: "
        "seer-bench run calvin --policy gr1 --protocol calvin-abc-d/v1 --ckpt CHECKPOINT --arm method=GR-1"
    )
    assert unknown == (
        "Nobody's, Somebody's: not run. No policy plugin is known; one of your own, POLICY, would fill Nobody's with: "
        "seer-bench run calvin --policy POLICY --protocol calvin-abc-d/v1 --ckpt CHECKPOINT --arm "
        "'method=Nobody'\"'\"'s'"
    )
    assert not any("Fill it with" in hint for hint in missing_hints(wanted, []))


def test_rows_of_methods_behind_a_server_name_server_and_protocol():
    names = ("RoboFlamingo", "SuSIE", "3D Diffuser Actor")
    wanted = [Wanted(name, arm_of_paper(name), "calvin", "calvin-abc-d/v1") for name in names]
    flamingo, susie, actor = missing_hints(wanted, ["remote"])
    assert flamingo == (
        "RoboFlamingo: not run. Start examples/servers/roboflamingo.py in the method's own environment "
        "(docs/servers.md), then: seer-bench run calvin --policy remote --protocol calvin-abc-d/seer-v1 "
        "--policy-arg url=ws://HOST:8001"
    )
    assert susie.endswith("--policy-arg url=ws://HOST:8002 --policy-arg keys=rgb_static:rgb_static")
    assert "diffuser_actor.py" in actor
    assert "--protocol calvin-abc-d/diffuser-actor-v1" in actor
    assert "depth_gripper:depth_gripper" in actor
    assert actor.endswith("; that is a row of its own: the published number allows 1,140 steps a subtask.")
    assert all("Install seer-bench[remote]." in hint for hint in missing_hints(wanted, []))
    assert "--policy SuSIE" in missing_hints(wanted[1:2], ["SuSIE"])[0]  # a plugin of somebody's of that name


def test_openvla_is_played_under_its_own_protocol():
    rows = [Wanted("OpenVLA", arm_of_paper("OpenVLA"), "libero", "libero-long/seer-v1")]
    (hint,) = missing_hints(rows, ["openvla"])
    assert "seer-bench run libero --policy openvla --protocol libero-long/openvla-v1 --policy-arg url=http" in hint
    assert "a row of its own" in hint
    (real,) = missing_hints([Wanted("OpenVLA", arm_of_paper("OpenVLA"), "real-robot", "x/v1")], ["openvla"])
    assert "No policy plugin is known" in real


def test_the_servers_and_protocols_that_hints_name_exist():
    root = Path(__file__).resolve().parents[3]
    protocols = {**calvin_protocols(), **libero_protocols()}
    for served in SERVED.values():
        assert served.protocol in protocols
        assert (root / served.docs).is_file()
        if served.server.startswith("examples/"):
            text = (root / served.server).read_text()
            assert f"arguments(__doc__, {served.url.split(':')[-1]}, " in text
            assert f"--protocol {served.protocol} " in text
            assert all(key in text for key in served.keys.split(","))


def test_rows_of_encoders_say_that_nothing_public_fills_them_and_what_stands_beside_them():
    wanted = [Wanted(name, arm_of_paper(name), "libero", "libero-long/seer-v1") for name in ("MVP", "MPI")]
    (hint,) = missing_hints(wanted, ["mpi", "mvp"])
    assert hint == (
        "MVP, MPI: not run, and nothing public can fill this: of the policies on these encoders neither code nor "
        "weights were published. A row of its own, marked head=ours, comes from a head of ours over MVP's encoder, "
        "which has to be trained (docs/encoders.md): seer-bench run libero --policy mvp --protocol "
        "libero-long/seer-v1 --ckpt HEAD --policy-arg encoder=FILE; likewise with --policy mpi"
    )
    assert missing_hints(wanted, []) == [hint.partition(" A row")[0]]
    assert "--policy mpi --protocol" in missing_hints(wanted, ["mpi"])[0]
    assert "Fill it with" in missing_hints(wanted, ["MVP"])[0]
