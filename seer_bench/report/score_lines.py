"""The score of a run in a few lines for a person, whatever its benchmark."""

from __future__ import annotations

from collections.abc import Sequence

from seer_bench.contracts import UnitResult
from seer_bench.errors import SeerBenchError
from seer_bench.protocol import EvaluationProtocol
from seer_bench.real_robot import BLOCK, Campaign
from seer_bench.report.counts import Estimate
from seer_bench.report.document import interval, percent, plain
from seer_bench.report.real_robot import count_tasks, mean_success, total_score
from seer_bench.report.tally import score_facts, task_lines


def score_lines(protocol: EvaluationProtocol, results: Sequence[UnitResult]) -> list[str]:
    """The score, then a line a task where units are about one of several, indented; `results` are not empty.

    Args:
        protocol: what was played.
        results: units with an outcome, one or more.
    """
    if BLOCK in protocol.settings:
        return _campaign(protocol, results)
    length = protocol.chain_length
    facts = [f"{name} {value}" for name, value in score_facts(results, length)]
    return [*facts, *(f"  {line}" for line in task_lines(results, length))]


def _campaign(protocol: EvaluationProtocol, results: Sequence[UnitResult]) -> list[str]:
    """SR and score on a real robot; trials that are none of the campaign's are a sentence."""
    try:
        campaign = Campaign.of(protocol)
        tasks = count_tasks(campaign, results)
    except SeerBenchError as error:
        return [plain(f"no score: {error}")]
    finished, planned = sum(len(task.cases) for task in tasks), sum(task.plan.cases for task in tasks)
    lines = [f"cases finished {finished}/{planned}, trials of a case count as: {campaign.aggregation}"]
    undisturbed = [task for task in tasks if not task.plan.disturbance]
    if (success := mean_success(undisturbed)) and (score := total_score(undisturbed, parts=len(undisturbed))):
        lines += [f"Avg. SR {_ends(success, 100, ' %')}", f"Avg. Score {_ends(score, 1)}"]
    for task in tasks:
        success, score = task.success, task.score
        if success and score:
            cases = f"{len(task.cases)}/{task.plan.cases} cases"
            lines.append(
                f"  {cases}  SR {percent(success.value):>5} %  score {score.value:>5.1f}  {plain(task.plan.id)}"
            )
    return lines


def _ends(estimate: Estimate, scale: float, unit: str = "") -> str:
    """A value with its interval in brackets."""
    ends = interval(estimate.low, estimate.high, digits=1, scale=scale)
    return f"{scale * estimate.value:.1f}{unit} [{ends}]"
