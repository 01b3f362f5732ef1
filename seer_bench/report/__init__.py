"""Tables, progress and summaries: the only place that words or formats a result. Nothing here runs anything."""

from __future__ import annotations

from seer_bench.report.build import Report, build_report
from seer_bench.report.checkpoint_summary import print_checkpoints
from seer_bench.report.output import not_written, print_report, report_json, write_report
from seer_bench.report.progress import monitor_for
from seer_bench.report.progress_json import JsonMonitor
from seer_bench.report.status import print_status
from seer_bench.report.summary import print_summary

__all__ = [
    "JsonMonitor",
    "Report",
    "build_report",
    "monitor_for",
    "not_written",
    "print_checkpoints",
    "print_report",
    "print_status",
    "print_summary",
    "report_json",
    "write_report",
]
