"""Tables 3a and 3b of the paper: which losses of the fine-tuning, and of the pre-training, are worth what on CALVIN."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from seer_bench.report.arms import Arm
from seer_bench.report.comparison import PrintedRow
from seer_bench.report.paper_tables import PaperAblationRow, load_ablation_table
from seer_bench.report.table2 import ChainTable
from seer_bench.report.wording import audit_notes, paper_note

_METRIC = "chains as in Table 2, Seer with other losses, average of the top-3 checkpoints"


@dataclass(frozen=True)
class Ablation:
    """What one of the two tables varies."""

    heading: str
    family: Mapping[str, str]
    """Attributes of every arm in it."""
    keys: tuple[str, str]
    """Attributes of the losses: visual foresight, inverse dynamics."""
    varied: Collection[str]
    """Attributes in which its arms may differ."""


FINE_TUNING = Ablation(
    "Fine-tuning losses", {"method": "Seer", "pretrained": "no"}, ("l_fore", "l_inv"), ("l_fore", "l_inv")
)
PRE_TRAINING = Ablation(
    "Pre-training losses", {"method": "Seer"}, ("pre_fore", "pre_inv"), ("pretrained", "pre_fore", "pre_inv")
)


class AblationTable(ChainTable):
    """Arms of Seer that differ in their losses; runs of Table 2's arms fill its rows as well."""

    def __init__(self, key: str, number: str, ablation: Ablation) -> None:
        paper = load_ablation_table(key)
        printed = [PrintedRow(_label(row), _arm(row, ablation), (*row.rates, row.average_length)) for row in paper.rows]
        notes = (paper_note(_METRIC), *audit_notes(key, None))
        super().__init__(key, number, title=paper.title, notes=notes, printed=printed)
        self.heading = ablation.heading
        self.family = ablation.family
        self.varied = ablation.varied

    def row_name(self, printed: PrintedRow) -> str:
        """With what it is that the row varies."""
        return f"Seer ({self.heading[0].lower()}{self.heading[1:]}: {printed.label})"


def _label(row: PaperAblationRow) -> str:
    """The losses that were used."""
    names = [name for name, used in (("L_fore", row.foresight), ("L_inv", row.inverse)) if used]
    return " + ".join(names) or "neither"


def _arm(row: PaperAblationRow, ablation: Ablation) -> Arm:
    """The attributes of a row."""
    used = ("yes" if row.foresight else "no", "yes" if row.inverse else "no")
    return Arm.of({**ablation.family, **dict(zip(ablation.keys, used, strict=True))})
