"""MLflow: parameters, metrics by the number of units, final values.

Where it goes is MLflow's own matter: `MLFLOW_TRACKING_URI`, `MLFLOW_EXPERIMENT_ID` or `MLFLOW_EXPERIMENT_NAME`
(here "seer-bench" if unset).
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from seer_bench.contracts import UnitResult
from seer_bench.trackers.contract import TrackedRun, Tracker, require
from seer_bench.trackers.scores import Progress, Summary
from seer_bench.trackers.unit import unit_numbers

if TYPE_CHECKING:
    from mlflow import MlflowClient

TAG = "seer_bench.run"
"""Holds `TrackedRun.id`, by which a continued run is found: MLflow chooses its ids itself."""
_BATCH = 100
"""Parameters that the REST API takes at once."""


class MlflowTracker(Tracker):
    """Sends a run to MLflow."""

    def __init__(self) -> None:
        require("mlflow")

    def start(self, run: TrackedRun) -> str:
        """Find the run by its tag, or create it."""
        from mlflow import MlflowClient
        from mlflow.entities import Param

        self._client = client = MlflowClient()
        experiment = _experiment(client)
        found = client.search_runs([experiment], f"tags.`{TAG}` = '{run.id}'", max_results=1)
        if found:
            self._id, known = found[0].info.run_id, found[0].data.params
            client.update_run(self._id, status="RUNNING")
        else:
            tags = {TAG: run.id, "seer_bench.group": run.group}
            self._id, known = client.create_run(experiment, tags=tags, run_name=run.name).info.run_id, {}
        # A parameter is never changed: the first session's value stands, e.g. of the host.
        params = [Param(_key(k), str(v)) for k, v in run.config.items() if _key(k) not in known]
        for i in range(0, len(params), _BATCH):
            client.log_batch(self._id, params=params[i : i + _BATCH])
        uri = client.tracking_uri
        if uri.startswith("http"):
            return f"{uri.rstrip('/')}/#/experiments/{experiment}/runs/{self._id}"
        return f"run {self._id} in {uri}"

    def result(self, result: UnitResult, progress: Progress) -> None:
        """Log the unit and the running score."""
        self._log({**progress.numbers, **unit_numbers(result)}, step=progress.units)

    def finish(self, summary: Summary) -> None:
        """Log the final values; an incomplete run is marked as killed."""
        self._log(summary.numbers, step=summary.units)
        self._client.set_terminated(self._id, status="FINISHED" if summary.complete else "KILLED")

    def _log(self, numbers: Mapping[str, float], *, step: int) -> None:
        """Log metrics, as many at once as the REST API takes."""
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        metrics = [Metric(_key(name), value, now, step) for name, value in numbers.items()]
        for i in range(0, len(metrics), 1000):
            self._client.log_batch(self._id, metrics=metrics[i : i + 1000])


def _experiment(client: MlflowClient) -> str:
    """Id of the experiment, which is created where it is missing."""
    from mlflow.exceptions import MlflowException

    if chosen := os.environ.get("MLFLOW_EXPERIMENT_ID"):
        return chosen
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "seer-bench")
    if (held := client.get_experiment_by_name(name)) is None:
        try:
            return str(client.create_experiment(name))
        except MlflowException:  # another process was faster
            if (held := client.get_experiment_by_name(name)) is None:
                raise
    return str(held.experiment_id)


def _key(name: str) -> str:
    """A name in the characters that MLflow allows."""
    return re.sub(r"[^\w\-./ ]", "_", name)
