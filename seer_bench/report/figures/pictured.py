"""What Figures 3 and 5 show: our values alone, since the paper's are pictures without printed numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seer_bench.report.checkpoints import ArmRow
from seer_bench.report.comparison import Measure
from seer_bench.report.counts import Estimate
from seer_bench.report.document import count, plain
from seer_bench.report.figure3 import PANELS, DataEfficiencyFigure, Panel
from seer_bench.report.figure5 import GeneralizationFigure
from seer_bench.report.figures.compared import scaled
from seer_bench.report.figures.plots import Curve, CurvePanel, CurvePlot, DotGroup, DotPlot, DotRow, Mark, Name
from seer_bench.report.figures.words import apart_title, protocol_notes, together, units
from seer_bench.report.paper_real_robot import load_real_robot_table

_PICTURE = "The paper's values are a picture without printed numbers (n/a), so none are drawn."

Rows = Sequence[ArmRow[Any]]
Record = Mapping[str, Any]


def data_efficiency_plot(heading: str, table: DataEfficiencyFigure, rows: Rows) -> CurvePlot | None:
    """Our points by share of the demonstrations; None where there are none."""
    record = table.record(rows)
    points = [point for point in record["arms"] if point["estimate"]]
    if not points:
        return None
    panels = []
    for panel in PANELS:
        mine = [point for point in points if point["benchmark"] == panel.benchmark]
        panels.append(_panel(panel.title, panel, table, [point for point in mine if not point["obstacles"]]))
        for name in dict.fromkeys(point["protocol"] for point in mine if point["obstacles"]):
            apart = [point for point in mine if point["obstacles"] and point["protocol"] == name]
            panels.append(_panel(f"{panel.title.rstrip('.')}. {apart_title(name)}", panel, table, apart))
    reasons = protocol_notes(row.summary for row in rows)
    said = (plain(text) for text in record["statements"])
    return CurvePlot(heading, tuple(panels), (f"Ours, with 95 % intervals. {_PICTURE}", *reasons, *said))


def generalization_plot(heading: str, table: GeneralizationFigure, rows: Rows) -> DotPlot | None:
    """Our SR with every disturbance and without; None where there is none."""
    arms = table.record(rows)["arms"]
    theirs = [(entry.task, entry.words) for entry in table.paper.disturbances]
    ours = [(task["of"], task["disturbance"]) for arm in arms for task in arm["tasks"] if task["success"]]
    columns = sorted(
        set(ours), key=lambda case: (case not in theirs, theirs.index(case) if case in theirs else 0, case)
    )
    if not columns:
        return None
    labels = {task.id: task.label for task in load_real_robot_table().tasks}
    titles = [f"{plain(labels.get(of, of))} ({i})" for i, (of, _) in enumerate(columns, start=1)]
    groups: dict[str, list[DotRow]] = {}
    for arm in arms:
        title = apart_title(arm["protocol"]) if arm["obstacles"] else plain(arm["protocol"])
        groups.setdefault(title, []).extend(_pair(arm, columns))
    said = "; ".join(f"({i}) {plain(disturbance)}" for i, (_, disturbance) in enumerate(columns, start=1))
    notes = (f"Disturbances: {said}.", f"Ours, with 95 % intervals; the cases are the units. {_PICTURE}")
    reasons = protocol_notes(row.summary for row in rows)
    shown = tuple(DotGroup(title, tuple(found)) for title, found in groups.items())
    return DotPlot(heading, tuple(titles), shown, "SR in %", (*notes, *reasons))


def _panel(title: str, panel: Panel, table: DataEfficiencyFigure, points: Sequence[Record]) -> CurvePanel:
    """One plot; without points it says so."""
    percent = panel.measure.scale == 100
    return CurvePanel(
        title=title,
        curves=tuple(_curves(points, panel.measure)),
        ticks=tuple((100 * share, f"{100 * share:g}") for share in table.paper.fractions),
        across="Demonstrations in %",
        up=f"{panel.measure.heading} in %" if percent else panel.measure.heading,
        top=100 if percent else 5,
    )


def _curves(points: Sequence[Record], measure: Measure) -> list[Curve]:
    """A curve a series and protocol; where a share has several points, the further ones are curves of their own."""
    curves: dict[tuple[str, str, int], dict[float, Record]] = {}
    for point in points:
        share, line, turn = float(point["fraction"].rstrip("%")), (point["series"], point["protocol"]), 0
        while share in curves.get((*line, turn), {}):
            turn += 1
        curves.setdefault((*line, turn), {})[share] = point
    several = len({protocol for _, protocol, _ in curves}) > 1
    found = []
    for kind, ((series, protocol, turn), by_share) in enumerate(curves.items()):
        rising = sorted(by_share.items())
        sizes = dict.fromkeys(count(point["n"]) for _, point in rising)
        reasons = dict.fromkeys(reason for _, point in rising if (reason := point["obstacles"]))
        name = Name(
            series if turn == 0 else f"{series}, arm {turn + 1}",
            "; ".join(
                [*([plain(protocol)] if several else []), together(f"n = {', '.join(sizes)}"), *map(plain, reasons)]
            ),
        )
        marks = tuple((share, scaled(Estimate(**point["estimate"]), measure.scale)) for share, point in rising)
        found.append(Curve(name, marks, printed=False, kind=kind))
    return found


def _pair(arm: Record, columns: Sequence[tuple[str, str]]) -> list[DotRow]:
    """An arm with the disturbances, and without them."""
    tasks = {(task["of"], task["disturbance"]): task for task in arm["tasks"]}

    def marks(key: str) -> tuple[Mark | None, ...]:
        found = (tasks[case][key] if case in tasks else None for case in columns)
        return tuple(None if value is None else scaled(Estimate(**value), 100) for value in found)

    details = [units(arm["n"], arm["planned"]), *([plain(arm["obstacles"])] if arm["obstacles"] else [])]
    rows = [DotRow(Name(arm["label"], "; ".join(["disturbed", *details])), marks("success"), ())]
    calm = marks("undisturbed_success")
    return [*rows, DotRow(Name(arm["label"], "undisturbed"), calm, ())] if any(calm) else rows
