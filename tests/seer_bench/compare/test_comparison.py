"""Comparisons of runs on disk."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from rich.console import Console
from statsmodels.stats.multitest import multipletests

from seer_bench.compare import compare_arms, compare_runs, comparison_json, load_arm, print_comparison
from seer_bench.compare.wording import conclusion, p_text
from seer_bench.errors import StoreError, UsageError
from seer_bench.protocol import EvaluationProtocol


def printed(comparison) -> str:
    console = Console(width=80, record=True, file=open("/dev/null", "w"), highlight=False)  # noqa: SIM115, PTH123
    print_comparison(comparison, console)
    console.file.close()
    return console.export_text()


def words(comparison) -> str:
    return " ".join(printed(comparison).split())


def test_shards_and_errors_merge_as_in_a_report(make: ModuleType, tmp_path: Path):
    make.write(tmp_path / "a" / "s1", [make.chain(i, 3) for i in range(4)] + [make.broken(9)])
    make.write(tmp_path / "a" / "s2", [make.chain(i, 4) for i in range(4, 8)])
    arm = load_arm(tmp_path / "a", "A")
    assert len(arm.checkpoints) == 1
    assert len(arm.units) == 8
    assert arm.checkpoints[0].errors == 1
    b = make.write(tmp_path / "b", [make.chain(i, 1) for i in range(8)], make.manifest(policy="other"))
    text = words(compare_runs([tmp_path / "a", b]))
    assert "A: Excluded: 1 chain without an outcome because the infrastructure failed." in text
    assert "A and B: Partial: 8 of the protocol's 1,000 chains have an outcome." in text


def test_checkpoints_count_as_their_unselected_mean(make: ModuleType, tmp_path: Path):
    for name, lengths in (("e1", [5, 4, 3, 2]), ("e2", [3, 2, 1, 0])):
        results = [make.chain(i, k) for i, k in enumerate(lengths)]
        make.write(tmp_path / "a" / name, results, make.manifest(checkpoint=f"{name}.pth"))
    b = make.write(tmp_path / "b", [make.chain(i, 1) for i in range(4)], make.manifest(policy="other"))
    comparison = compare_runs([tmp_path / "a", b])
    assert comparison.pairs[0].difference.a == pytest.approx(2.5)
    assert comparison.pairs[0].difference.n_a == 4
    text = words(comparison)
    assert "mean over all 2 checkpoints" in text
    assert "would be no fair comparison" in text
    assert "A is a mean over checkpoints and B a single one." in text
    assert "They do not compare and are not tested" in text


def test_a_folder_of_several_arms_is_refused_with_what_it_holds(make: ModuleType, tmp_path: Path):
    make.write(tmp_path / "x" / "one", [make.chain(0, 3)])
    make.write(tmp_path / "x" / "two", [make.chain(0, 3)], make.manifest(seed=1))
    with pytest.raises(UsageError, match="holds 2 arms") as caught:
        load_arm(tmp_path / "x", "A")
    assert "seed 1: " in str(caught.value)
    with pytest.raises(UsageError, match="holds no run"):
        load_arm(tmp_path / "x" / "one" / "actions", "A")
    with pytest.raises(StoreError, match="no such directory"):
        load_arm(tmp_path / "y", "A")


def test_different_protocols_are_refused_with_every_difference(make: ModuleType):
    settings = {"chain": {"length": 5, "count": 1000}, "renderer": "tiny"}
    other = EvaluationProtocol("calvin-abc-d/v1-tiny", "calvin", "Chains.", "table2", "yes", settings)
    arms = make.chains("A", [1]), make.arm("B", [make.chain(0, 1)], protocol=other)
    with pytest.raises(UsageError) as caught:
        compare_arms(arms)
    text = str(caught.value)
    assert "A was played on calvin-abc-d/v1 and B on calvin-abc-d/v1-tiny" in text
    assert "renderer: absent here, 'tiny' there" in text
    assert "seer-bench run calvin --policy B --protocol calvin-abc-d/v1 --ckpt B0.pth" in text
    with pytest.raises(UsageError, match="other tasks and other robots"):
        compare_arms([make.chains("A", [1]), make.arm("B", [make.rollout(0, 0, True)], protocol=make.ROLLOUTS)])
    changed = replace(make.CHAINS, settings={"chain": {"length": 5, "count": 1000}, "steps": 1})
    with pytest.raises(UsageError, match="two versions of calvin-abc-d/v1"):
        compare_arms([make.chains("A", [1]), make.arm("B", [make.chain(0, 1)], protocol=changed)])


def test_units_of_both_are_paired_and_the_others_counted(make: ModuleType):
    a = make.arm("A", [make.chain(i, 3) for i in range(10)])
    b = make.arm("B", [make.chain(i, 2) for i in range(4, 16)])
    comparison = compare_arms([a, b])
    pair = comparison.pairs[0]
    assert (pair.common, pair.only_in) == (6, (4, 6))
    assert "6 chains that both played, paired by id. Not in common and left out: 4 of A and 6 of B." in words(
        comparison
    )


def test_arms_without_common_units_need_to_be_asked_for(make: ModuleType):
    a = make.arm("A", [make.chain(i, 4 + i % 2) for i in range(20)])
    b = make.arm("B", [make.chain(i, i % 2) for i in range(20, 40)])
    with pytest.raises(UsageError, match="--unpaired"):
        compare_arms([a, b])
    comparison = compare_arms([a, b], unpaired=True)
    assert comparison.pairs[0].difference.interval == "Welch's t"
    assert "A did better than B" in conclusion(comparison.pairs[0])[0]
    assert "Unpaired: A's 20 chains and B's 20 chains." in words(comparison)


def test_the_same_actions_are_said_to_be_the_same(make: ModuleType, tmp_path: Path):
    results = [make.chain(i, i % 6, played=i) for i in range(8)]
    a = make.write(tmp_path / "a", results)
    b = make.write(tmp_path / "b", results, make.manifest(seed=1))
    assert "the very same actions, so there is nothing to compare" in words(compare_runs([a, b]))
    assert "They are the same run." in words(compare_runs([a, a]))
    assert "They are the same run." in words(compare_runs([a, a], unpaired=True))
    other = make.write(tmp_path / "c", [*results[:6], make.chain(6, 5), make.chain(7, 5)], make.manifest(seed=2))
    assert "6 chains of both were played with the very same actions." in words(compare_runs([a, other]))


def test_nothing_is_called_better_without_a_test_behind_it(make: ModuleType):
    rng = np.random.default_rng(0)
    alike = compare_arms([make.chains("A", rng.integers(0, 6, 40)), make.chains("B", rng.integers(0, 6, 40))])
    text = words(alike)
    assert alike.pairs[0].p_holm > 0.05
    assert "better" not in text
    size = alike.pairs[0].difference.detectable
    assert f"One of at least {size:.2f} would have been found with 80 % probability." in text
    apart = compare_arms([make.chains("A", [1] * 8), make.chains("B", [4] * 8)])
    assert "B did better than A: Avg. Len. 4.00 against 1.00, 3.00 more (paired sign-flip test, p = 0.008)" in words(
        apart
    )


def test_where_interval_and_test_disagree_the_test_decides(make: ModuleType):
    # Five chains, all ahead: the bootstrap leaves out 0, and no exact test of five pairs can reject.
    text = words(compare_arms([make.chains("A", [3, 2, 4, 3, 5]), make.chains("B", [1, 1, 1, 1, 1])]))
    assert "The data do not show a difference between A and B (paired sign-flip test, p = 0.062)" in text
    assert "The interval leaves out 0 though p = 0.062: it is approximate, the test decides." in text
    assert "Fewer than 6 pairs with a difference can never give p < 0.05." in text


def test_several_arms_share_the_level(make: ModuleType):
    a, b = make.chains("A", [5] * 6), make.chains("B", [4] * 6)
    c = replace(b, letter="C")
    alone, together = compare_arms([a, b]).pairs[0], compare_arms([a, b, c]).pairs[0]
    assert alone.p_holm == pytest.approx(2 / 64)
    assert together.p_holm == pytest.approx(4 / 64)
    sentences = " ".join(conclusion(together))
    assert "The data do not show a difference" in sentences
    assert "Alone, this comparison would have p = 0.031; the corrected p decides." in sentences


def test_the_tasks_of_several_comparisons_share_the_level(make: ModuleType):
    rng = np.random.default_rng(3)
    arms = [make.chains(letter, rng.integers(0, 6, 60)) for letter in "ABCD"]
    pairs = compare_arms(arms).pairs
    tested = [task for pair in pairs for task in pair.tasks if task.p_value is not None]
    expected = multipletests([task.p_value for task in tested], method="holm")[1]
    assert [task.p_holm for task in tested] == pytest.approx(list(expected))
    assert "with Holm's correction for the tasks of all 3 comparisons" in words(compare_arms(arms))


def test_arms_without_any_spread_do_not_hide_what_could_be_found(make: ModuleType):
    text = words(compare_arms([make.chains("A", [3] * 10), make.chains("B", [2] * 10)], unpaired=True))
    assert "A did better than B" in text
    assert "No difference, however large" not in text
    assert "Every chain of an arm ended alike, so the interval has no width" in text
    few = words(compare_arms([make.chains("A", [3] * 3), make.chains("B", [2] * 3)], unpaired=True))
    assert "No difference, however large, would have been found reliably with 3 and 3 chains." in few


def test_an_arm_without_outcomes_says_why(make: ModuleType, tmp_path: Path):
    good = make.write(tmp_path / "good", [make.chain(0, 3)])
    lost = make.write(tmp_path / "lost", [make.broken(i) for i in range(4)])
    with pytest.raises(UsageError, match=r"no unit has an outcome yet.* Of 4 units the infrastructure failed\."):
        compare_runs([lost, good])
    torn = make.write(tmp_path / "torn", [make.chain(0, 3)])
    (torn / "units.jsonl").write_bytes(b"{torn\n")
    with pytest.raises(UsageError, match=r"no unit has an outcome yet.*\n  .*units.jsonl, line 1: not readable"):
        compare_runs([torn, good])


def test_rollouts_are_averaged_over_tasks(make: ModuleType):
    a = [make.rollout(t, i, i < 15 - t) for t in range(10) for i in range(20)]
    b = [make.rollout(t, i, i < 10 - t) for t in range(10) for i in range(20)]
    comparison = compare_arms([make.arm(x, r, protocol=make.ROLLOUTS) for x, r in (("A", a), ("B", b))])
    row, pair = comparison.rows[0], comparison.pairs[0]
    assert row.estimate.value == pytest.approx(sum(15 - t for t in range(10)) / 200)
    assert (pair.difference.ahead_a, pair.difference.ahead_b) == (50, 0)
    assert pair.difference.estimate.value == pytest.approx(0.25)
    assert [measure.key for measure, _ in pair.lines] == ["success_rate"]


@pytest.mark.parametrize(("rule", "value"), [("mean", 2 / 3), ("best_of", 1.0), ("majority", 1.0)])
def test_a_real_robot_is_compared_by_its_finished_cases(make: ModuleType, rule: str, value: float):
    protocol = make.campaign(rule)
    a = [make.trial(case, i, 2 if i else 1) for case in range(5) for i in range(3)]
    b = [make.trial(case, i, 0) for case in range(5) for i in range(3)]
    arms = make.arm("A", a[:-1], protocol=protocol), make.arm("B", b, protocol=protocol)
    comparison = compare_arms(arms)
    assert comparison.rows[0].estimate.value == pytest.approx(value)
    assert comparison.rows[0].n == 12
    pair = comparison.pairs[0]
    assert (pair.difference.n_a, pair.common, pair.clustered) == (4, 12, True)
    assert pair.difference.p_value == pytest.approx(2 / 2**4)
    assert pair.same_actions is None
    stages = {m.key: line for m, line in pair.lines}["stages"]
    assert stages.a == pytest.approx(5 / 3 if rule == "mean" else 2)
    assert "cases are counted" in words(comparison)
    assert [task.task for task in pair.tasks] == ["flip_white_bowl"]


def test_units_can_be_given_clusters(make: ModuleType):
    a, b = make.chains("A", [5] * 8), make.chains("B", [1] * 8)
    pair = compare_arms([a, b], cluster=lambda unit: str(int(unit[-1]) // 4)).pairs[0]
    assert (pair.difference.n_a, pair.clustered) == (2, True)
    assert pair.difference.p_value == pytest.approx(2 / 4)


def test_what_a_reader_must_know_is_said(make: ModuleType, tmp_path: Path):
    results = [make.chain(i, 1) for i in range(8)]
    first = make.manifest(policy="expert", privileged=True, checkpoint=None)
    second = make.manifest(policy="seer", simulation={"assets": "a1", "physics": "c3", "frame": "f"})
    a = make.write(tmp_path / "a", results, first)
    b = make.write(tmp_path / "b", [make.chain(i, 2) for i in range(8)], second)
    text = words(compare_runs([a, b]))
    assert "A: Privileged policy" in text
    assert "Their simulations differ in: physics." in text
    assert "The runs differ in: checkpoint, policy.name, policy.privileged." in text


def test_start_states_that_differ_are_counted(make: ModuleType):
    a = make.arm(
        "A", [replace(make.rollout(0, i, True), initial={"seed": i}) for i in range(8)], protocol=make.ROLLOUTS
    )
    b = make.arm(
        "B", [replace(make.rollout(0, i, False), initial={"seed": 0}) for i in range(8)], protocol=make.ROLLOUTS
    )
    assert "7 rollouts began in different start states" in words(compare_arms([a, b]))


def test_json_holds_every_number(make: ModuleType):
    arms = [make.chains("A", [5, 4, 3, 2, 5, 5, 5]), make.chains("B", [1, 0, 3, 2, 1, 1, 0])]
    tree = json.loads(json.dumps(comparison_json(compare_arms(arms)), allow_nan=False))
    assert tree["schema"] == "seer-bench/comparison/1"
    pair = tree["comparisons"][0]
    assert pair["verdict"] == "no difference shown"
    assert [m["measure"] for m in pair["measures"]] == ["average_length", *(f"rate_{i}" for i in range(1, 6))]
    assert pair["measures"][0]["a_ahead"] == 5
    assert {task["task"] for task in pair["tasks"]} <= set(make.TASKS)


def test_pages_fit_80_columns(make: ModuleType):
    rng = np.random.default_rng(0)
    lengths = [rng.binomial(5, rate, 1000) for rate in (0.9, 0.7, 0.7)]
    comparison = compare_arms([make.chains(letter, k) for letter, k in zip("ABC", lengths, strict=True)])
    text = printed(comparison)
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text


def test_p_values_never_round_across_the_level():
    assert [p_text(p) for p in (0.0496, 0.0504, 0.00001, 0.031, 0.23, 1)] == [
        "0.0496", "0.0504", "<0.001", "0.031", "0.23", "1.00",
    ]  # fmt: skip


def test_a_damaged_line_is_said_and_the_rest_compared(make: ModuleType, tmp_path: Path):
    a = make.write(tmp_path / "a", [make.chain(i, 3) for i in range(8)])
    b = make.write(tmp_path / "b", [make.chain(i, 1) for i in range(8)], make.manifest(policy="other"))
    with (b / "units.jsonl").open("a") as file:
        file.write("{torn\n")
    comparison = compare_runs([a, b])
    assert comparison.rows[1].n == 8
    assert any("line 9" in note for note in comparison.rows[1].notes)
