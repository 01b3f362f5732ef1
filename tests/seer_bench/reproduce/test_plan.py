"""Plans on the embedded scene; nothing is played."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from seer_bench import SubtaskResult, UnitResult, UnknownNameError, UsageError
from seer_bench.registry import load_benchmark
from seer_bench.reproduce import Settings, make_plan, print_plan, read_experiments, rows_of, tables_of
from seer_bench.store import CheckpointId, Manifest, PolicyId, RunWriter, actions_sha256, checkpoint_sha256

PROTOCOL = "calvin-embedded/v1"
ACTIONS = np.zeros((1, 7))
FILE = f"""
arms:
  again:
    method: Seer
    policy: replay
    checkpoints: [weights/*.jsonl]
    protocol: {PROTOCOL}
    units: 0:10
  gr1:
    method: GR-1
    policy: unseen
  lost:
    method: Seer
    arm: {{pretrained: no}}
    policy: replay
    checkpoints: [nowhere/*.jsonl]
    benchmark: calvin
  floor:
    method: Random
    policy: random
    protocol: {PROTOCOL}
    units: 0:4
"""


@pytest.fixture
def plan(tmp_path):
    """Plans a table from a file's text; two different checkpoints are there."""
    (tmp_path / "weights").mkdir()
    for name in ("9.jsonl", "10.jsonl"):
        (tmp_path / "weights" / name).write_text(name)

    def make(table="table2", text=FILE, **settings):
        (tmp_path / "e.yaml").write_text(text)
        settings = {"workers": 2, **settings}
        return make_plan(
            tables_of(table), read_experiments(tmp_path / "e.yaml"), Settings(tmp_path / "out", **settings)
        )

    return make


def record(place, count, *, start=0, policy="replay", checkpoint=None, seconds=3.0, arm=None):
    """A run of the first units on the embedded scene, as another command left it."""
    benchmark = load_benchmark("calvin")
    protocol = benchmark.protocols()[PROTOCOL]
    manifest = Manifest.create(
        protocol=protocol,
        simulation={"physics": "p"},
        backend=benchmark.backends()[0],
        policy=PolicyId(policy, "seer-bench", "0.1.0"),
        checkpoint=CheckpointId(checkpoint.name, checkpoint_sha256(checkpoint)) if checkpoint else None,
        arm=arm or {"method": "Seer"},
    )
    with RunWriter.open(place, manifest) as writer:
        writer.start_session({})
        for unit in benchmark.units(protocol)[start : start + count]:
            task = (SubtaskResult("open_drawer", "open it", False, 360),)
            sha256 = actions_sha256(ACTIONS)
            result = UnitResult(unit.id, 1, "failure", task, 1, 0, sha256, None, run_info={"seconds": seconds})
            writer.append(result, ACTIONS)
    return place


def text_of(plan, width=80, policies=("replay", "random", "seer")):
    stream = io.StringIO()
    print_plan(plan, Console(file=stream, width=width), file="e.yaml", policies=policies)
    return stream.getvalue()


def test_rows_come_from_the_paper():
    (table2,) = tables_of("table2")
    assert [row.label for row in rows_of(table2)][-2:] == ["Seer (w/o pretrain)", "Seer"]
    assert [table.key for table in tables_of("table3")] == ["table3a", "table3b"]
    assert len(rows_of(tables_of("figure3")[0])) == 2 * 2 * 5
    assert [table.key for table in tables_of("all") if not rows_of(table)] == ["table4", "figure5"]
    with pytest.raises(UnknownNameError, match="Did you mean 'table2'"):
        tables_of("tabel2")


def test_every_arm_has_its_row_and_what_the_paper_lacks_comes_below(plan):
    (table,) = plan().tables
    filled = {row.label: [arm.experiment.name for arm in arms] for row, arms in table.rows if arms}
    assert filled == {"GR-1": ["gr1"], "Seer (w/o pretrain)": ["lost"], "Seer": ["again"]}
    assert [arm.experiment.name for arm in table.others] == ["floor"]


def test_what_is_not_on_this_machine_is_an_obstacle_of_its_arm_alone(plan):
    made = plan()
    obstacles = {arm.experiment.name: arm.obstacle for arm in made.arms}
    assert obstacles["again"] is None
    assert "Install the package that brings the policy 'unseen'" in obstacles["gr1"]
    assert "e.yaml:12: arm 'lost': checkpoints nowhere/*.jsonl: matches nothing" in obstacles["lost"]
    assert [(arm.experiment.name, run.name) for arm, run in made.runs] == [
        ("again", "9.jsonl"),
        ("again", "10.jsonl"),
        ("floor", ""),
    ]


def test_recorded_units_are_not_asked_for_again_wherever_they_lie(plan, tmp_path):
    weights = tmp_path / "weights"
    record(tmp_path / "out" / "elsewhere" / "x", 10, checkpoint=weights / "9.jsonl")
    place = record(tmp_path / "out" / "y", 4, checkpoint=weights / "10.jsonl", arm={"method": "Seer", "data": "100%"})
    record(tmp_path / "out" / "other", 10, checkpoint=weights / "10.jsonl", arm={"method": "Seer", "data": "10%"})
    nine, ten = plan().arms[0].runs
    assert (nine.done, nine.missing) == (10, 0)
    assert (ten.done, ten.missing, ten.request.out) == (4, 6, place)
    assert ten.request.arm == {"method": "Seer", "data": "100%"}


def test_what_another_shard_holds_is_not_played_again(plan, tmp_path):
    weights = tmp_path / "weights" / "9.jsonl"
    for start in (0, 5):
        record(tmp_path / "out" / f"shard-{start}", 3, start=start, checkpoint=weights)
    run = plan().arms[0].runs[0]
    assert (run.done, run.request.units) == (6, "3,4,8,9")


def test_time_is_the_mean_of_recorded_units_or_not_known(plan, tmp_path):
    again, *_, floor = plan().arms
    assert (again.seconds, floor.seconds) == (None, None)
    record(tmp_path / "out" / "x", 4, checkpoint=tmp_path / "weights" / "9.jsonl", seconds=3.0)
    again, *_, floor = plan().arms
    assert again.pace == (3.0, 4)
    assert again.seconds == 3.0 * (6 + 10) / 2
    assert floor.seconds is None


def test_the_command_line_overrides_the_units(plan):
    assert [run.total for _, run in plan(units="0:2").runs] == [2, 2, 2]


def test_a_run_is_planned_once_however_many_tables_show_it(plan):
    text = f"arms: {{a: {{method: Seer, policy: random, protocol: {PROTOCOL}, units: 0:2}}}}"
    made = plan("all", text)
    assert len(made.runs) == 1
    shown = [table.table.key for table in made.tables if any(arms for _, arms in table.rows)]
    assert shown == ["table2", "table3b", "figure3"]


def test_an_ablation_is_not_played_for_table_2(plan):
    text = f"arms: {{a: {{method: Seer, arm: {{pre_inv: no}}, policy: random, protocol: {PROTOCOL}}}}}"
    assert plan("table2", text).runs == []
    assert len(plan("table3", text).runs) == 1


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("benchmark: calvin, protocol: calvin-embedded/v2", "e.yaml:1: arm 'a': unknown calvin protocol"),
        (f"protocol: {PROTOCOL}, units: 9:9999", "e.yaml:1: arm 'a': --units"),
        ("protocol: nothing/v1", "e.yaml:1: arm 'a': unknown protocol 'nothing/v1'"),
    ],
)
def test_mistakes_in_the_file_are_refused(plan, entry, words):
    with pytest.raises(UsageError) as caught:
        plan(text=f"arms: {{a: {{method: Seer, policy: random, {entry}}}}}")
    assert words in str(caught.value)


def test_a_plan_reads_well_in_80_columns(plan, tmp_path):
    record(tmp_path / "out" / "x", 4, checkpoint=tmp_path / "weights" / "9.jsonl", seconds=3.0)
    text = text_of(plan())
    for words in (
        "Seer                 again  4 of 20 units, 2 checkpoints, not comparable",
        "9.jsonl   4 of 10 units",
        "time: about 0:24 (3.0 s a unit, mean of 4 recorded; 2 workers)",
        "seer-bench bench calvin --policy random --protocol calvin-embedded/v1",
        "To play: 20 units in 3 runs, about 0:24, and unknown time for floor. 2 arms cannot",
        "Played from their own environments, behind a server: RoboFlamingo, SuSIE, 3D",
        "See docs/servers.md.",
    ):
        assert words in text


def test_rows_without_an_entry_get_one_that_can_be_pasted(plan):
    text = text_of(plan("figure3", f"arms: {{a: {{method: Random, policy: random, protocol: {PROTOCOL}}}}}"))
    entries = text[text.index("under 'arms:'") :].partition("\n")[2].partition("\n\n")[0]
    assert "arm: {data: 10%, pretrained: no}" in entries
    assert max(map(len, entries.splitlines())) <= 80
    pasted = plan("figure3", f"arms:\n{entries}\n")
    assert all(len(arms) == 1 for _, arms in pasted.tables[0].rows)


def test_rows_of_encoders_get_entries_that_stand_beside_them(plan):
    text = text_of(plan("table1", FILE), policies=["mpi", "mvp"])
    assert "Nothing public can fill the rows MVP, MPI" in text
    entries = text[text.index("that you train") :].partition("\n")[2].partition("No policy plugin")[0]
    entries = entries.partition("Policy plugins")[0]
    assert max(map(len, entries.splitlines())) <= 80
    pasted = plan("table1", f"arms:\n{entries}")
    assert not any(arms for _, arms in pasted.tables[0].rows)
    assert [arm.experiment.name for arm in pasted.tables[0].others] == ["mvp-libero-head-ours", "mpi-libero-head-ours"]
    assert "Nothing public" not in text_of(pasted, policies=["mpi", "mvp"])


def test_a_head_of_ours_is_not_planned_as_the_papers_row(plan):
    with pytest.raises(UsageError, match=r"e.yaml:1: arm 'x': the policy 'mvp' plays a head of ours .*\{head: ours\}"):
        plan("table2", "arms: {x: {method: MVP, policy: mvp}}")
    assert plan("table2", "arms: {x: {method: MVP, policy: theirs}}").tables


def test_the_real_robot_is_said_to_be_one(plan):
    assert "comes from a real robot; no command plays it." in text_of(plan("table4"))


@pytest.mark.parametrize("table", ["table1", "table2"])
@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("benchmark: calvim", "arm 'x': unknown benchmark 'calvim'. Did you mean 'calvin'"),
        (f"benchmark: libero, protocol: {PROTOCOL}", f"arm 'x': unknown libero protocol '{PROTOCOL}'"),
    ],
)
def test_names_that_no_table_has_are_refused_whatever_is_asked_for(plan, table, more, words):
    with pytest.raises(UsageError) as caught:
        plan(table, f"arms:\n  x: {{method: Random, policy: random, {more}}}\n")
    assert words in str(caught.value)


def test_one_run_under_two_names_is_refused(plan):
    entry = "{method: Seer, policy: replay, checkpoints: [weights/9.jsonl]"
    with pytest.raises(UsageError, match=r"e.yaml:3: arm 'y': 9.jsonl is played by arm 'x' already"):
        plan(text=f"arms:\n  x: {entry}}}\n  y: {entry}}}\n")
    apart = plan(text=f"arms:\n  x: {entry}}}\n  y: {entry}, seed: 1}}\n")
    assert [len(arm.runs) for arm in apart.arms] == [1, 1]
