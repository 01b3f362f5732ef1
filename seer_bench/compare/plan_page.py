"""A plan for people and for machines."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from seer_bench.compare.plan_runs import plan_noun
from seer_bench.compare.planning import Design, Plan
from seer_bench.compare.printing import new_table, paragraph
from seer_bench.report.document import ABSENT, counted
from seer_bench.report.tally import duration

SCHEMA = "seer-bench/plan/1"


def print_plan(plan: Plan, console: Console) -> None:
    """Print how many units are needed, what the protocol's own can show, and what was assumed."""
    noun = plan_noun(plan.protocol)
    console.print(Text(f"Plan: to see a difference of {_size(plan, plan.delta)} on {plan.protocol.name}", style="bold"))
    console.print(Text(_subject(plan), style="dim"))
    console.print()
    table = new_table()
    table.add_column("Design")
    table.add_column(f"{noun}s needed\nof each arm", justify="right")
    if plan.planned is not None:
        table.add_column(f"difference shown\nby {plan.planned:,} {noun}s", justify="right")
    if plan.seconds is not None:
        table.add_column("time of\neach arm", justify="right")
    for design in plan.designs:
        cells = [_name(design), f"{design.needed:,}"]
        if plan.planned is not None:
            cells.append(ABSENT if design.detectable is None else _size(plan, design.detectable))
        if plan.seconds is not None:
            cells.append(duration(design.needed * plan.seconds))
        table.add_row(*cells)
    console.print(table)
    console.print()
    if verdict := _verdict(plan):
        paragraph(console, verdict, style="bold", mark="→")
    for note in _notes(plan):
        paragraph(console, note, style="dim", mark="·")


def plan_json(plan: Plan) -> dict[str, Any]:
    """The plan as a JSON tree; rates and differences of rates are fractions."""
    return {
        "schema": SCHEMA,
        "protocol": plan.protocol.name,
        "metric": plan.metric,
        "delta": plan.delta,
        "power": plan.power,
        "level": 0.05,
        "rates": None if plan.rates is None else list(plan.rates),
        "deviation": plan.deviation,
        "assumed": plan.assumed,
        "planned": plan.planned,
        "seconds_a_unit": plan.seconds,
        "designs": [
            {
                "paired": design.paired,
                "correlation": design.correlation,
                "needed": design.needed,
                "detectable": design.detectable,
                "seconds": None if plan.seconds is None else design.needed * plan.seconds,
            }
            for design in plan.designs
        ],
    }


def _subject(plan: Plan) -> str:
    """What differs by how much."""
    noun = plan_noun(plan.protocol)
    if plan.rates is not None:
        first, other = (f"{100 * rate:.1f} %" for rate in plan.rates)
        whole = (
            f"chains with all {plan.protocol.chain_length} subtasks solved" if noun == "chain" else f"solved {noun}s"
        )
        return f"Success rate ({whole}): {first} ({plan.assumed}) against {other}."
    return f"Average length; its standard deviation from chain to chain is {plan.deviation:.2f}, {plan.assumed}."


def _verdict(plan: Plan) -> str:
    """Whether the protocol's own units are enough."""
    if plan.planned is None:
        return ""
    noun = plan_noun(plan.protocol)
    enough = [design for design in plan.designs if design.needed <= plan.planned]
    own = f"The protocol's {counted(plan.planned, noun)}"
    if len(enough) == len(plan.designs):
        return f"{own} are enough."
    if not enough:
        return f"{own} are not enough, and it has no more: plan for a larger difference."
    return f"{own} are enough only where the table says at most {plan.planned:,}."


def _notes(plan: Plan) -> list[str]:
    """What was assumed."""
    noun = plan_noun(plan.protocol)
    notes = [
        f"Both arms play that many {noun}s. Two-sided test at 5 %, power {100 * plan.power:g} %; one comparison, no "
        "correction for several."
    ]
    if plan.rates is not None:
        notes.append("Exact tests (McNemar, or Fisher without pairs). The other rate is taken to lie towards 50 %.")
        if plan_noun(plan.protocol) == "rollout":
            notes.append("Tasks that differ in difficulty make fewer rollouts enough; that is not counted on here.")
    notes.append(
        f"Paired: both arms play the same {noun}s, as `seer-bench compare` pairs them. Correlation: of their scores on "
        "the same one."
    )
    if len({design.correlation for design in plan.designs if design.paired}) > 1:
        notes.append("Nothing tells it before the runs; two earlier ones do: --run A --run B, or give --correlation.")
    notes.append("Several seeds or checkpoints of training are another source of chance, which this does not plan for.")
    if plan.seconds is not None:
        notes.append(
            f"Time: {plan.seconds:.2g} s a {noun}, wall clock, as in the run given, with its workers and machine."
        )
    return notes


def _name(design: Design) -> str:
    """What a design is called."""
    return f"paired, correlation {design.correlation:.2f}" if design.correlation is not None else "unpaired"


def _size(plan: Plan, value: float) -> str:
    """A difference with its unit."""
    return f"{100 * value:.3g} points" if plan.metric == "rate" else f"{value:.3g} subtasks"
