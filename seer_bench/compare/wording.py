"""A comparison in words. Nothing is called better without a test behind it."""

from __future__ import annotations

from collections.abc import Sequence

from seer_bench.compare.arm import is_campaign, unit_noun
from seer_bench.compare.comparison import PairComparison
from seer_bench.compare.difference import Difference
from seer_bench.compare.measures import Measure
from seer_bench.report.document import counted, signed
from seer_bench.stats import detectable_paired_rate_difference, detectable_rate_difference

LEVEL = 0.05
"""A test at or below it rejects."""
_FEW = 6
"""Pairs with a difference from which an exact two-sided test can reach `LEVEL`."""


def conclusion(pair: PairComparison) -> list[str]:
    """What the test says, what could have been found, and where interval and test disagree; the verdict first."""
    noun = unit_noun(pair.a.protocol)
    a, b = pair.a.letter, pair.b.letter
    if pair.alike:
        same = "They are the same run" if not pair.differ_in else "They are one and the same behaviour"
        return [
            f"{a} and {b} played all of their {counted(pair.common, noun)} in common with the very same actions, so "
            f"there is nothing to compare. {same}."
        ]
    sentences = [_verdict(pair), _detectable(pair, counted_noun(pair))]
    if disagreement := _disagreement(pair):
        sentences.append(disagreement)
    if pair.same_actions:
        sentences.append(f"{counted(pair.same_actions, noun)} of both were played with the very same actions.")
    return sentences


def verdict_word(pair: PairComparison) -> str:
    """The verdict for machines: "same actions", "no difference shown", or the arm's letter, as in "A higher"."""
    if pair.alike:
        return "same actions"
    if pair.p_holm > LEVEL:
        return "no difference shown"
    return f"{_winner(pair)} higher"


def tasks_moved(pair: PairComparison) -> str:
    """Which tasks moved beyond chance, in a sentence; "" where none was tested."""
    tested = [task for task in pair.tasks if task.p_holm is not None]
    if not tested or pair.alike:
        return ""
    sure = [task for task in tested if task.p_holm is not None and task.p_holm <= LEVEL]
    family = counted(len(tested), "task") if pair.tests == 1 else f"the tasks of all {pair.tests} comparisons"
    among = f"with Holm's correction for {family}"
    if not sure:
        return f"No task by itself moved beyond chance, {among}."
    letters = [pair.a.letter if task.estimate and task.estimate.value > 0 else pair.b.letter for task in sure]
    names = ", ".join(f"{task.task} ({letter} ahead)" for task, letter in zip(sure, letters, strict=True))
    return f"Moved beyond chance, {among}: {names}."


def methods(pair: PairComparison) -> str:
    """Which intervals and tests the lines show."""
    (measure, first), *others = pair.lines
    corrected = f", p with Holm's correction for {pair.tests} comparisons (intervals have none)"
    parts = [f"{measure.name}: {first.interval} interval, {first.test}{corrected if pair.tests > 1 else ''}."]
    if others:
        intervals = " or ".join(dict.fromkeys(line.interval for _, line in others))
        tests = " or ".join(dict.fromkeys(line.test for _, line in others))
        holm = f", p with Holm's correction for the {len(others)} lines" if len(others) > 1 else ""
        parts.append(f"Below it: {intervals} interval, {tests}{holm}. These describe; the first line decides.")
    if pair.paired:
        parts.append(f"Ahead: {counted_noun(pair)}s in which an arm got further than the other.")
    if pair.clustered:
        parts.append(f"Repeated units are not independent, so {counted_noun(pair)}s are counted.")
    return " ".join(parts)


def counted_noun(pair: PairComparison) -> str:
    """What the tests count: units, or what repeated ones belong to."""
    if is_campaign(pair.a.protocol):
        return "case"
    return "cluster" if pair.clustered else unit_noun(pair.a.protocol)


def amount(measure: Measure, value: float) -> str:
    """A size of a difference, e.g. "0.35" or "3.5 points"."""
    text = f"{measure.scale * value:.{measure.digits}f}"
    return f"{text} points" if measure.scale == 100 else text


def p_text(p: float) -> str:
    """A p value that never rounds across 0.05 unnoticed, e.g. "0.23", "0.0496" or "<0.001"."""
    if p < 0.001:
        return "<0.001"
    if 0.045 <= p < 0.055:
        return f"{p:.4f}"
    return f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def p_phrase(p: float) -> str:
    """E.g. "p = 0.23" or "p < 0.001"."""
    text = p_text(p)
    return f"p < {text[1:]}" if text.startswith("<") else f"p = {text}"


def ends_text(measure: Measure, line: Difference) -> str:
    """The interval of a difference, e.g. "+0.20 to +0.56"; "n/a" where there is none."""
    if line.estimate.low is None or line.estimate.high is None:
        return "n/a"
    low, high = (signed(measure.scale * end, measure.digits) for end in (line.estimate.low, line.estimate.high))
    return f"{low} to {high}"


def join(letters: Sequence[str]) -> str:
    """E.g. "A", "A and B" or "A, B and C"."""
    return letters[0] if len(letters) == 1 else f"{', '.join(letters[:-1])} and {letters[-1]}"


def _winner(pair: PairComparison) -> str:
    """The letter of the arm that scored higher."""
    return pair.a.letter if pair.difference.estimate.value > 0 else pair.b.letter


def _verdict(pair: PairComparison) -> str:
    """The sentence that the test decides."""
    measure, line = pair.lines[0]
    a, b = pair.a.letter, pair.b.letter
    p = p_phrase(pair.p_holm) + (f" with Holm's correction for {pair.tests} comparisons" if pair.tests > 1 else "")
    if pair.p_holm > LEVEL:
        return f"The data do not show a difference between {a} and {b} ({line.test}, {p})."
    better = _winner(pair)
    worse, high, low = (b, line.a, line.b) if better == a else (a, line.b, line.a)
    sign = " %" if measure.scale == 100 else ""
    values = " against ".join(f"{measure.scale * value:.{measure.digits}f}{sign}" for value in (high, low))
    size = amount(measure, abs(line.estimate.value))
    return f"{better} did better than {worse}: {measure.name} {values}, {size} more ({line.test}, {p})."


def _detectable(pair: PairComparison, noun: str) -> str:
    """Which difference so many units would have shown."""
    measure, line = pair.lines[0]
    size = line.detectable
    counts = counted(line.n_a, f"{noun} pair") if pair.paired else f"{line.n_a:,} and {counted(line.n_b, noun)}"
    few = pair.paired and (line.ahead_a or 0) + (line.ahead_b or 0) < _FEW
    reason = f" Fewer than {_FEW} pairs with a difference can never give p < 0.05." if few else ""
    if size is None and line.estimate.low == line.estimate.high is not None:
        confidence = 1 - LEVEL / pair.tests
        if pair.paired:
            how = "differs by the same amount" if line.estimate.value else "ended alike in both arms"
            share = detectable_paired_rate_difference(n=line.n_a, discordance=0.0, confidence=confidence)
        else:
            how = "of an arm ended alike"
            share = detectable_rate_difference(n_a=line.n_a, n_b=line.n_b, rate=0.0, confidence=confidence)
        if share is not None:
            return (
                f"Every {noun} {how}, so the interval has no width, and how large a difference would be found is not "
                f"known; one arm getting further in at least {100 * share:.1f} % of them would be found with 80 % "
                "probability."
            )
    if size is None or size > measure.top:
        return f"No difference, however large, would have been found reliably with {counts}.{reason}"
    if pair.p_holm > LEVEL:
        return f"One of at least {amount(measure, size)} would have been found with 80 % probability.{reason}"
    return f"With {counts}, a difference of at least {amount(measure, size)} is found with 80 % probability."


def _disagreement(pair: PairComparison) -> str:
    """Where the interval, the test and the corrected test do not say the same; "" where they do."""
    line = pair.difference
    low, high = line.estimate.low, line.estimate.high
    rejects = line.p_value <= LEVEL
    sentences = []
    if low is not None and high is not None:
        excludes = low > 0 or high < 0
        if excludes and not rejects:
            sentences.append(
                f"The interval leaves out 0 though {p_phrase(line.p_value)}: it is approximate, the test decides."
            )
        if rejects and not excludes:
            sentences.append(
                f"The interval includes 0 though {p_phrase(line.p_value)}: it is approximate, the test decides."
            )
    if rejects and pair.p_holm > LEVEL:
        sentences.append(
            f"Alone, this comparison would have {p_phrase(line.p_value)}; the corrected p decides. The interval is not "
            "corrected."
        )
    return " ".join(sentences)
