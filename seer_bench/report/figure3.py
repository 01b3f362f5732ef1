"""Figure 3 of the paper, data efficiency: how far a share of the demonstrations gets, with pre-training and without."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from seer_bench.arms import contradictions
from seer_bench.report import records
from seer_bench.report.arms import Arm, arm_of_paper
from seer_bench.report.checkpoints import ArmRow
from seer_bench.report.comparison import Measure
from seer_bench.report.counts import Estimate
from seer_bench.report.document import ABSENT, Cell, Column, Document, Notes, Row, Table, interval, plain
from seer_bench.report.missing import Wanted, missing_hints
from seer_bench.report.paper_figures import load_data_efficiency
from seer_bench.report.paper_table import Findings, PaperTable
from seer_bench.report.verdict import NO_VALUE, obstacles
from seer_bench.report.wording import audit_notes, checkpoint_note, estimate_text

KEY = "figure3"
_POINT = f"Not comparable point by point: {NO_VALUE}; it is a picture there. Its words about it are footnotes."


@dataclass(frozen=True)
class Panel:
    """One of the figure's plots."""

    benchmark: str
    """As the figure's data call it, and the name of the plugin."""
    source: str
    """Key of the runs that it shows."""
    protocol: str
    """Protocol whose results compare with the paper's."""
    title: str
    measure: Measure


PANELS = (
    Panel(
        "libero",
        "table1",
        "libero-long/seer-v1",
        "LIBERO-LONG: Avg. Success in %",
        Measure("average", "Avg. Success", 100, digits=1, interval_digits=1),
    ),
    Panel(
        "calvin",
        "table2",
        "calvin-abc-d/v1",
        "CALVIN ABC-D: Avg. Len.",
        Measure("average_length", "Avg. Len.", 1, digits=2, interval_digits=2),
    ),
)


class DataEfficiencyFigure(PaperTable):
    """Values by share of the demonstrations, one line a series, one table a benchmark."""

    unit = "unit"
    family = MappingProxyType({"method": "Seer"})
    varied = ("pretrained", "data")

    def __init__(self, number: str) -> None:
        super().__init__(KEY, number, [panel.source for panel in PANELS])
        self.paper = load_data_efficiency()

    def document(self, rows: Sequence[ArmRow[Any]], findings: Findings) -> Document:
        """A table a panel, the paper's sentences with our numbers behind them, and what is missing."""
        notes = Notes()
        tables = [self._table(panel, rows, notes) for panel in PANELS]
        hints = missing_hints(self._wanted(rows), findings.policies)
        if not rows:
            hints = [f"{self.number}: no run fills a point yet. {hints[0]}", *hints[1:]]
        return Document(
            number=self.number,
            title=self.paper.title,
            lead="Score by the share of the demonstrations that was trained on. Small print: 95 % intervals.",
            tables=tuple(tables),
            notes=notes.texts,
            problems=tuple(plain(problem) for problem in findings.problems),
            hints=tuple(plain(hint) for hint in hints),
        )

    def record(self, rows: Sequence[ArmRow[Any]]) -> Mapping[str, Any]:
        """The points, and the paper's sentences."""
        return {
            "notes": [_POINT, *audit_notes(KEY, None)],
            "statements": [text for panel in PANELS for text in self._statements(panel, rows)],
            "paper": [
                {"benchmark": panel.benchmark, "series": series, "fraction": fraction, "value": None}
                for panel in PANELS
                for series in self.paper.series
                for fraction in self.paper.fractions
            ],
            "arms": [self._point(row) for row in rows],
            "runs": [run.label for row in rows for run in row.runs],
        }

    def csv(self, rows: Sequence[ArmRow[Any]]) -> Mapping[str, str]:
        """One line a point of ours."""
        lines = []
        for row in rows:
            point = self._point(row)
            estimate = point.pop("estimate") or {}
            lines.append({**point, **estimate, "arm": None})
        columns = ["label", "benchmark", "series", "fraction", "protocol", "n", "value", "low", "high", "obstacles"]
        return {"": records.csv_text(columns, [{k: line.get(k) for k in columns} for line in lines])}

    def own(self, rows: Iterable[ArmRow[Any]]) -> list[ArmRow[Any]]:
        """Those of the family with a share of the data that can be."""
        return [row for row in super().own(rows) if not contradictions({"data": row.arm["data"]})]

    def _table(self, panel: Panel, rows: Sequence[ArmRow[Any]], notes: Notes) -> Table:
        """One panel: a line a series of the paper, followed by ours; shares that the paper does not have count too."""
        mine = [row for row in rows if _panel(row) is panel]
        fractions = sorted({*self.paper.fractions, *(float(row.arm["data"].rstrip("%")) / 100 for row in mine)})
        columns = (
            Column("Series", align="left"),
            *(Column(_percent(fraction)) for fraction in fractions),
            Column("Protocol", align="left", fold=True),
        )
        marks = notes.number([_POINT, *audit_notes(KEY, None), *self._statements(panel, rows)])
        groups = []
        for series in self.paper.series:
            lines: list[Row] = [
                (
                    Cell(series, notes=marks),
                    *(Cell("n/a" if f in self.paper.fractions else ABSENT) for f in fractions),
                    Cell(ABSENT),
                )
            ]
            ours = [row for row in mine if _series(row) == series]
            protocols = dict.fromkeys([panel.protocol, *(row.summary.protocol.name for row in ours)])
            for protocol in protocols:
                same = [row for row in ours if row.summary.protocol.name == protocol]
                lines += _lines(same, fractions, protocol, panel.measure, notes)
            groups.append(tuple(lines))
        return Table(panel.title, columns, tuple(groups))

    def _statements(self, panel: Panel, rows: Sequence[ArmRow[Any]]) -> list[str]:
        """What the paper's prose says of a panel, each with what ours give."""
        texts = []
        for gain in self.paper.gains:
            if gain.benchmark == panel.benchmark:
                ours = self._gain(panel, rows, gain.fraction)
                texts.append(
                    f"The paper says: with {_percent(gain.fraction)} of the data pre-training adds {gain.percent:g} % "
                    f"to training from scratch ({panel.measure.heading}). Ours: {ours}."
                )
        texts += [
            f"The paper says: {_percent(needed.fraction)} of the data is enough for Seer to pass the best earlier "
            f"method ({panel.measure.heading}). Ours: {self._value(panel, rows, needed.fraction)}."
            for needed in self.paper.needed
            if needed.benchmark == panel.benchmark
        ]
        return texts

    def _gain(self, panel: Panel, rows: Sequence[ArmRow[Any]], fraction: float) -> str:
        """By how many percent pre-training exceeds training from scratch in our runs, protocol by protocol."""
        pretrained, scratch = (self._found(panel, rows, fraction, pretrained=word) for word in ("yes", "no"))
        return _by_protocol(
            {
                name: [_gain_text(a, b) for a in pretrained[name] for b in scratch[name]]
                for name in pretrained
                if name in scratch
            }
        )

    def _value(self, panel: Panel, rows: Sequence[ArmRow[Any]], fraction: float) -> str:
        """Our value of Seer at one share of the data, protocol by protocol."""
        found = self._found(panel, rows, fraction, pretrained="yes")
        texts = {name: [estimate_text(value, panel.measure) for value in values] for name, values in found.items()}
        return _by_protocol(texts)

    def _found(
        self, panel: Panel, rows: Sequence[ArmRow[Any]], fraction: float, *, pretrained: str
    ) -> dict[str, list[Estimate]]:
        """By protocol, the values of our rows that compare."""
        arm = Arm.of({"method": "Seer", "pretrained": pretrained, "data": _percent(fraction)})
        found: dict[str, list[Estimate]] = {}
        for row in rows:
            estimate = _estimate(row) if _panel(row) is panel else None
            if estimate is not None and row.arm == arm and not obstacles(row.summary):
                found.setdefault(row.summary.protocol.name, []).append(estimate)
        return found

    def _wanted(self, rows: Sequence[ArmRow[Any]]) -> list[Wanted]:
        """The points without a run, together where they differ in the share of the data alone."""
        wanted = []
        for panel in PANELS:
            held = {row.arm for row in rows if row.summary.protocol.name == panel.protocol}
            for series in self.paper.series:
                arms = {
                    _percent(fraction): arm_of_paper(series, data=_percent(fraction))
                    for fraction in self.paper.fractions
                }
                shares = [share for share, arm in arms.items() if arm not in held]
                if shares:
                    others = tuple(f"data={share}" for share in shares[1:])
                    label = f"{series} on {panel.benchmark} with {', '.join(shares)} of the data"
                    wanted.append(Wanted(label, arms[shares[0]], panel.benchmark, panel.protocol, others))
        return wanted

    def _point(self, row: ArmRow[Any]) -> dict[str, Any]:
        """One of our points for machines."""
        estimate = _estimate(row)
        return {
            "label": row.summary.label,
            "arm": dict(row.arm.pairs),
            "benchmark": _panel(row).benchmark,
            "series": _series(row),
            "fraction": row.arm["data"],
            "protocol": row.summary.protocol.name,
            "n": row.summary.n,
            "estimate": None if estimate is None else asdict(estimate),
            "obstacles": "; ".join(obstacles(row.summary)),
        }


def _gain_text(pretrained: Estimate, scratch: Estimate) -> str:
    """By how many percent one value exceeds another, with what the ends of their intervals give."""
    if scratch.value == 0:
        return "no relative improvement over a score of 0"
    text = f"{100 * (pretrained.value / scratch.value - 1):.0f} %"
    if pretrained.low is None or pretrained.high is None or not scratch.low or scratch.high is None:
        return text
    low, high = (100 * (a / b - 1) for a, b in ((pretrained.low, scratch.high), (pretrained.high, scratch.low)))
    return f"{text} (from {low:.0f} to {high:.0f} % at the ends of both 95 % intervals)"


def _by_protocol(texts: Mapping[str, Sequence[str]]) -> str:
    """What ours give, with the protocol behind it where there are several; values of two protocols are never joined."""
    if not texts:
        return "not run"
    joined = {name: " or ".join(values) for name, values in texts.items()}
    return "; ".join(text if len(joined) == 1 else f"{text} under {plain(name)}" for name, text in joined.items())


def _lines(
    rows: Sequence[ArmRow[Any]], fractions: Sequence[float], protocol: str, measure: Measure, notes: Notes
) -> list[Row]:
    """Our points under one protocol, in as many lines as one share of the data has rows; at least one, "not run"."""
    by_share = [[row for row in rows if row.arm["data"] == _percent(fraction)] for fraction in fractions]
    lines: list[Row] = []
    for number in range(max(1, *(len(group) for group in by_share))):
        cells = [_cell(group[number] if number < len(group) else None, measure, notes) for group in by_share]
        name = "ours" if number == 0 else f"ours, arm {number + 1}"
        lines.append((Cell(name), *cells, Cell(protocol)))
    return lines


def _cell(row: ArmRow[Any] | None, measure: Measure, notes: Notes) -> Cell:
    """One point with what qualifies it."""
    estimate = None if row is None else _estimate(row)
    if row is None or estimate is None:
        return Cell("not run" if row is None else ABSENT)
    remarks = [checkpoint_note(row, measure, "unit"), *(f"Not comparable: {why}." for why in obstacles(row.summary))]
    ends = interval(estimate.low, estimate.high, digits=measure.interval_digits, scale=measure.scale)
    value = f"{measure.scale * estimate.value:.{measure.digits}f}"
    return Cell(value, ends, f"n={row.summary.n}", notes.number(remark for remark in remarks if remark))


def _panel(row: ArmRow[Any]) -> Panel:
    """The panel that a row belongs to."""
    return next(panel for panel in PANELS if panel.source == row.summary.protocol.table)


def _series(row: ArmRow[Any]) -> str:
    """The series as the paper calls it."""
    return "Seer" if row.arm["pretrained"] == "yes" else "Seer (w/o pretrain)"


def _estimate(row: ArmRow[Any]) -> Estimate | None:
    """The value that the figure draws."""
    name = _panel(row).measure.name
    estimate: Estimate | None = getattr(row.summary, name)
    return estimate


def _percent(fraction: float) -> str:
    """A share of the data as attributes hold it, e.g. "10%"."""
    return f"{100 * fraction:g}%"
