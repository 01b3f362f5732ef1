"""Trackers: optional places beside the run directory that results are sent to, such as MLflow.

The run directory stays the only source of tables. A tracker lives in a process of its own, so that nothing it does, and
no server that is slow or away, can stop, change or noticeably slow down a run.

A plugin is a callable `() -> Tracker`, registered under the entry point group `seer_bench.trackers`.
"""

from __future__ import annotations

from seer_bench.trackers.contract import TrackedRun, Tracker
from seer_bench.trackers.monitor import TrackingMonitor, load_tracker, track
from seer_bench.trackers.scores import Progress, Summary

__all__ = ["Progress", "Summary", "TrackedRun", "Tracker", "TrackingMonitor", "load_tracker", "track"]
