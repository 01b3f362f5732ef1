"""The paper's own arithmetic, recomputed: every number that does not follow from the others becomes a footnote.

Tables 1, 2, 3a and 3b are checked while they are read (`paper_tables` refuses a row that does not add up), so what is
left for here is what a reader must be told: averages that disagree with their cells, roundings, and sums in the prose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from seer_bench.report import arithmetic
from seer_bench.report.paper_real_robot import CASES, KEY, RealRobotRow, RealRobotTable, load_real_robot_table
from seer_bench.report.paper_tables import (
    PaperAblationTable,
    PaperChainTable,
    PaperTaskRow,
    PaperTaskTable,
    load_ablation_table,
    load_chain_table,
    load_task_table,
)

_OURS = "Seer"
_SCRATCH = "Seer (w/o pretrain)"
_ROLLOUTS, _CHECKPOINTS = 20, 3
"""Of Table 1: rollouts a task, and checkpoints whose rates are averaged."""
_TRIALS = 3
"""Of Table 4: trials of each case."""


@dataclass(frozen=True)
class Finding:
    """One number that does not follow from the others."""

    key: str
    """The table, e.g. "table4"; what its footnotes are looked up by."""
    row: str | None
    """The row's method; None where the whole table is meant."""
    printed: str
    """What the paper prints."""
    computed: str
    """What its other numbers give."""
    text: str
    """The footnote: both values in a sentence."""


@dataclass(frozen=True)
class Claim:
    """A number in the prose that follows from a table."""

    key: str
    """The table."""
    words: str
    """What the number is, and where it stands."""
    printed: float
    computed: float
    """From the table's cells where they are legible, otherwise from its printed averages."""
    unit: str
    decimals: int
    """With how many it is printed."""


def audit_paper() -> tuple[Finding, ...]:
    """Every finding in the packaged tables and in the prose that rests on them, in the order of the tables."""
    task_table, robots = load_task_table("table1"), load_real_robot_table()
    chain_table, ablations = load_chain_table("table2"), [load_ablation_table(key) for key in ("table3a", "table3b")]
    return (
        *audit_task_table(task_table),
        *audit_repeats(chain_table, ablations),
        *audit_real_robot(robots),
        *audit_claims(paper_claims(task_table, chain_table, robots)),
    )


def footnotes(key: str) -> tuple[str, ...]:
    """The texts of the findings of one table, e.g. "table4"."""
    return tuple(finding.text for finding in audit_paper() if finding.key == key)


def audit_task_table(table: PaperTaskTable) -> tuple[Finding, ...]:
    """Rates that are cut instead of rounded, and rows in coarser steps than a mean of three checkpoints has."""
    findings = []
    for row in table.rows:
        cut = _cut_rates(row)
        if cut:
            printed, exact = ", ".join(f"{a}" for a, _ in cut), ", ".join(f"{b:.1f}" for _, b in cut)
            text = f"{row.method}: {printed} are cut, not rounded; whole rollouts give {exact}."
            findings.append(Finding(table.key, row.method, printed, exact, text))
        if _steps_of_one_checkpoint(row):
            text = (
                f"{row.method}: every legible rate is a whole number of {_ROLLOUTS} rollouts, as one checkpoint gives; "
                f"a mean of {_CHECKPOINTS} checkpoints has steps of 1/{_ROLLOUTS * _CHECKPOINTS}."
            )
            steps = f"steps of 1/{_ROLLOUTS}"
            findings.append(Finding(table.key, row.method, f"mean of {_CHECKPOINTS} checkpoints", steps, text))
    return tuple(findings)


def audit_repeats(table: PaperChainTable, ablations: Sequence[PaperAblationTable]) -> tuple[Finding, ...]:
    """Rows of the ablations that stand for a row of Table 2 and differ from it.

    Fine-tuning with both objectives (Table 3a), and pre-training with none (Table 3b), is Seer without pre-training;
    pre-training with both is Seer.
    """
    chains = {row.method: (row.rates, row.average_length) for row in table.rows}
    same = {("table3a", True, True): _SCRATCH, ("table3b", False, False): _SCRATCH, ("table3b", True, True): _OURS}
    findings = []
    for ablation in ablations:
        for row in ablation.rows:
            method = same.get((ablation.key, row.foresight, row.inverse))
            if method is None or (row.rates, row.average_length) == chains[method]:
                continue
            printed, expected = f"{row.rates} {row.average_length}", f"{chains[method][0]} {chains[method][1]}"
            text = f"The row that stands for '{method}' prints {printed}; {table.key} prints {expected}."
            findings.append(Finding(ablation.key, method, printed, expected, text))
    return tuple(findings)


def audit_real_robot(table: RealRobotTable) -> tuple[Finding, ...]:
    """Averages that are not the means of their cells, and success rates in steps of cases instead of trials."""
    findings = []
    for row in table.rows:
        name, average, computed = f"{row.method}, {row.demos} demos", row.average, row.computed
        solved = _cases(row)
        exact = 100 * sum(solved) / (CASES * len(solved))
        if not row.adds_up:
            printed, means = f"{average.success} / {average.score}", f"{computed.success:.1f} / {computed.score:.1f}"
            text = (
                f"{name}: the paper prints the averages {printed}; its cells have the means {means} "
                f"({sum(solved)} of {CASES * len(solved)} cases, {sum(c.score for c in row.scores):.0f} stages)."
            )
            findings.append(Finding(KEY, row.method, printed, means, text))
        elif not arithmetic.agrees(average.success, exact, arithmetic.RATE_ROUNDING):
            text = (
                f"{name}: the printed average SR {average.success} is the mean of rounded cells; "
                f"{sum(solved)} of {CASES * len(solved)} cases are {exact:.1f}."
            )
            findings.append(Finding(KEY, row.method, f"{average.success}", f"{exact:.1f}", text))
    cells = [cell.success for row in table.rows for cell in row.scores]
    if all(arithmetic.is_rounded_share(success, CASES) for success in cells):
        trials = CASES * _TRIALS
        text = (
            f"Every SR ({len(cells)} of {len(cells)}) is a whole number of {CASES} cases, although the mean over "
            f"{CASES} x {_TRIALS} trials has steps of 1/{trials}."
        )
        findings.append(Finding(KEY, None, f"{CASES} x {_TRIALS} trials", f"steps of 1/{CASES}", text))
    return tuple(findings)


def paper_claims(tasks: PaperTaskTable, chains: PaperChainTable, robots: RealRobotTable) -> tuple[Claim, ...]:
    """The prose's comparisons, recomputed from the tables they rest on."""
    averages = {row.method: row.average for row in tasks.rows if row.average is not None}
    lengths = {row.method: row.average_length for row in chains.rows if row.average_length is not None}
    most = max(row.demos for row in robots.rows)
    solved = {row.method: row.computed.success for row in robots.rows if row.demos == most}
    best_average, best_length, best_solved = (_best_other(values) for values in (averages, lengths, solved))
    points, longer = averages[_OURS] - best_average, lengths[_OURS] - best_length
    openvla = _gain(averages[_OURS], averages["OpenVLA"])
    return (
        Claim("table1", "gain on LIBERO-LONG (abstract)", 13, _gain(averages[_OURS], best_average), " %", 0),
        Claim("table1", "gain on LIBERO-LONG (introduction)", 10.4, points, " points", 1),
        Claim("table1", "gain over OpenVLA (section 4.2)", 62, openvla, " %", 0),
        Claim("table1", "gain by pre-training (section 4.2)", 9, averages[_OURS] - averages[_SCRATCH], " points", 0),
        Claim("table2", "gain on CALVIN ABC-D (abstract)", 22, _gain(lengths[_OURS], best_length), " %", 0),
        Claim("table2", "gain on CALVIN ABC-D (introduction)", 0.71, longer, "", 2),
        Claim(
            KEY,
            "gain in real-world tasks (abstract)",
            43,
            _gain(solved[_OURS], best_solved),
            " %",
            0,
        ),
    )


def audit_claims(claims: Sequence[Claim]) -> tuple[Finding, ...]:
    """The claims that do not follow from their table within their own rounding."""
    findings = []
    for claim in claims:
        if arithmetic.agrees(claim.printed, claim.computed, 0.5 * 10**-claim.decimals):
            continue
        printed, computed = (f"{value:.{claim.decimals}f}{claim.unit}" for value in (claim.printed, claim.computed))
        text = f"The prose gives {printed} as the {claim.words}; the table's cells give {computed}."
        findings.append(Finding(claim.key, None, printed, computed, text))
    return tuple(findings)


def _cut_rates(row: PaperTaskRow) -> list[tuple[float, float]]:
    """Rates that no whole number of rollouts rounds to, each with the one that it is cut from."""
    trials = _ROLLOUTS * _CHECKPOINTS
    wrong = (r for r in row.rates if r is not None and not arithmetic.is_rounded_share(r, trials))
    return [(rate, 100 * round(rate * trials / 100) / trials) for rate in wrong]


def _steps_of_one_checkpoint(row: PaperTaskRow) -> bool:
    """Whether every legible rate is a whole number of one checkpoint's rollouts."""
    return all(arithmetic.is_rounded_share(rate, _ROLLOUTS) for rate in row.rates if rate is not None)


def _cases(row: RealRobotRow) -> list[int]:
    """Solved cases of each task."""
    return [round(cell.success * CASES / 100) for cell in row.scores]


def _best_other(values: dict[str, float]) -> float:
    """The best value of a method that is not Seer."""
    return max(value for method, value in values.items() if method not in (_OURS, _SCRATCH))


def _gain(value: float, base: float) -> float:
    """By how many percent `value` exceeds `base`."""
    return 100 * (value / base - 1)
