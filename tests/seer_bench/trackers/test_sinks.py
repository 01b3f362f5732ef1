"""What the three sinks ask of their libraries, for which stand-ins with the same signatures answer."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from seer_bench.store import read_run
from seer_bench.trackers.scores import RunningScore, summarise


def install(monkeypatch, name: str, **contents: Any) -> None:
    """Let `import name` give a module with these contents."""
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None)
    vars(module).update(contents)
    monkeypatch.setitem(sys.modules, name, module)


def play(tracker, lab, run, results, *, complete=True):
    """Use a tracker as its process does; the place it names."""
    score = RunningScore(3, read_run(run.path).results.values())
    place = tracker.start(run)
    for result in results:
        score.add(lab.add(run.path, result))
        tracker.result(result, score.progress)
    tracker.finish(summarise(read_run(run.path), complete=complete))
    return place


# --- MLflow ----------------------------------------------------------------------------------------------


@dataclass
class MlflowServer:
    """Experiments and runs, in memory; refuses what the real one refuses."""

    experiments: dict[str, str] = field(default_factory=dict)
    runs: dict[str, SimpleNamespace] = field(default_factory=dict)


@pytest.fixture
def mlflow(monkeypatch):
    """A server behind a stand-in for mlflow."""
    server = MlflowServer()

    class MlflowException(Exception):  # noqa: N818 - MLflow's name
        pass

    @dataclass
    class Param:
        key: str
        value: str

    @dataclass
    class Metric:
        key: str
        value: float
        timestamp: int
        step: int

    class MlflowClient:
        tracking_uri = "http://tracking.test:5000/"

        def get_experiment_by_name(self, name):
            found = server.experiments.get(name)
            return None if found is None else SimpleNamespace(experiment_id=found)

        def create_experiment(self, name):
            if name in server.experiments:
                raise MlflowException("RESOURCE_ALREADY_EXISTS")
            server.experiments[name] = str(len(server.experiments) + 1)
            return server.experiments[name]

        def search_runs(self, experiment_ids, filter_string="", max_results=1000):
            return [
                SimpleNamespace(info=SimpleNamespace(run_id=key), data=SimpleNamespace(params=dict(run.params)))
                for key, run in server.runs.items()
                if run.experiment in experiment_ids
                and filter_string == f"tags.`seer_bench.run` = '{run.tags['seer_bench.run']}'"
            ][:max_results]

        def create_run(self, experiment_id, tags=None, run_name=None):
            key = f"r{len(server.runs)}"
            server.runs[key] = SimpleNamespace(
                experiment=experiment_id, tags=tags, name=run_name, params={}, metrics=[], status="RUNNING"
            )
            return SimpleNamespace(info=SimpleNamespace(run_id=key))

        def update_run(self, run_id, status=None):
            server.runs[run_id].status = status

        def log_batch(self, run_id, metrics=(), params=()):
            assert len(params) <= 100
            assert len(metrics) <= 1000
            for param in params:
                if param.key in server.runs[run_id].params or not isinstance(param.value, str):
                    raise MlflowException("INVALID_PARAMETER_VALUE")
                server.runs[run_id].params[param.key] = param.value
            server.runs[run_id].metrics += [(m.key, m.value, m.step) for m in metrics]

        def set_terminated(self, run_id, status):
            server.runs[run_id].status = status

    for variable in ("MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(variable, raising=False)
    install(monkeypatch, "mlflow", MlflowClient=MlflowClient)
    install(monkeypatch, "mlflow.entities", Param=Param, Metric=Metric)
    install(monkeypatch, "mlflow.exceptions", MlflowException=MlflowException)
    return server


def mlflow_tracker():
    from seer_bench.trackers.mlflow import MlflowTracker

    return MlflowTracker()


def test_mlflow_holds_parameters_curves_and_final_values(mlflow, lab):
    run = lab.run()
    place = play(mlflow_tracker(), lab, run, [lab.chain(0, 3), lab.broken(1)], complete=False)
    ((key, held),) = mlflow.runs.items()
    assert place == f"http://tracking.test:5000/#/experiments/1/runs/{key}"
    assert (mlflow.experiments, held.name) == ({"seer-bench": "1"}, run.name)
    assert held.tags == {"seer_bench.run": run.id, "seer_bench.group": run.group}
    assert held.params == {name: str(value) for name, value in run.config.items()}
    assert ("average_length", 3.0, 1) in held.metrics
    assert ("unit/steps", 30, 1) in held.metrics
    assert [m for m in held.metrics if m[0] == "errors"] == [("errors", 0, 1), ("errors", 1, 1), ("errors", 1, 1)]
    assert {"success_rate/3_low", "task/lift", "task/lift_high"} <= {name for name, _, _ in held.metrics}
    assert held.status == "KILLED"


def test_mlflow_continues_the_run_of_the_directory_and_changes_no_parameter(mlflow, lab):
    run = lab.run()
    play(mlflow_tracker(), lab, run, [lab.chain(0, 3)])
    host = mlflow.runs["r0"].params["host"] = "elsewhere"
    play(mlflow_tracker(), lab, run, [lab.chain(1, 1)])
    play(mlflow_tracker(), lab, lab.run(name="other"), [])
    assert len(mlflow.runs) == 2
    held = mlflow.runs["r0"]
    assert held.params["host"] == host
    assert [step for name, _, step in held.metrics if name == "unit/solved"] == [1, 2]
    assert held.status == "FINISHED"


def test_mlflow_names_are_made_of_the_characters_that_it_allows(mlflow, lab):
    run = lab.run()
    play(mlflow_tracker(), lab, run, [lab.task(0, "push (red)?", True)])
    assert "task/push _red__" in {name for name, _, _ in mlflow.runs["r0"].metrics}


def test_mlflow_experiments_are_chosen_by_its_own_variables(mlflow, lab, monkeypatch):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "arms")
    play(mlflow_tracker(), lab, lab.run(), [])
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "77")
    play(mlflow_tracker(), lab, lab.run(), [])
    assert (list(mlflow.experiments), [run.experiment for run in mlflow.runs.values()]) == (["arms"], ["1", "77"])


# --- Weights & Biases ------------------------------------------------------------------------------------


class WandbRun:
    """Keeps what it is given; steps must not go back, as at the real one."""

    def __init__(self, online: bool, asked: dict[str, Any]) -> None:
        self.asked, self.rows, self.summary, self.exit = asked, {}, {}, None
        self.url = "https://wandb.test/seer-bench/runs/1" if online else None
        self.settings = SimpleNamespace(sync_dir="/wandb/offline-run-1")

    def log(self, data, step=None):
        assert step >= max(self.rows, default=0)
        self.rows.setdefault(step, {}).update(data)

    def finish(self, exit_code=None):
        self.exit = exit_code


@pytest.fixture
def wandb(monkeypatch):
    """The runs that a stand-in for wandb was asked for; online unless its mode says otherwise."""
    runs = []

    def init(*, project, id, name, group, config, allow_val_change, resume, settings):
        runs.append(WandbRun(not settings_of["offline"], dict(locals(), runs=None)))
        return runs[-1]

    settings_of = {"offline": False}
    install(monkeypatch, "wandb", init=init, Settings=lambda *, console, x_disable_stats: (console, x_disable_stats))
    monkeypatch.delenv("WANDB_PROJECT", raising=False)
    return SimpleNamespace(runs=runs, mode=settings_of)


def wandb_tracker():
    from seer_bench.trackers.wandb import WandbTracker

    return WandbTracker()


def test_wandb_continues_by_id_and_gets_curves_and_a_summary(wandb, lab):
    run = lab.run([lab.chain(0, 3)])
    place = play(wandb_tracker(), lab, run, [lab.broken(1), lab.chain(1, 1)])
    (held,) = wandb.runs
    assert place == held.url
    asked = held.asked
    assert (asked["project"], asked["id"], asked["group"], asked["resume"]) == (
        "seer-bench",
        run.id,
        run.group,
        "allow",
    )
    assert asked["config"] == run.config
    assert [(step, row["average_length"]) for step, row in held.rows.items()] == [(1, 3), (2, 2)]
    assert held.rows[2]["unit/solved"] == 1
    assert held.summary["average_length_low"] < 2 < held.summary["average_length_high"]
    assert held.exit == 0


def test_wandb_offline_names_the_command_that_sends_the_run(wandb, lab, monkeypatch):
    wandb.mode["offline"] = True
    monkeypatch.setenv("WANDB_PROJECT", "arms")
    place = play(wandb_tracker(), lab, lab.run(), [lab.broken(0)], complete=False)
    assert place == "offline; send it with: wandb sync /wandb/offline-run-1"
    assert (wandb.runs[0].asked["project"], wandb.runs[0].exit) == ("arms", 1)


# --- trackio ---------------------------------------------------------------------------------------------


@pytest.fixture
def trackio(monkeypatch):
    """The runs that a stand-in for trackio was asked for."""
    runs = []

    class Run:
        def __init__(self, asked):
            self.asked, self.points, self.finished = asked, [], False

        def log(self, metrics, step=None):
            self.points.append((step, metrics))

        def finish(self):
            self.finished = True

    def init(project, *, name, group, config, resume, embed, auto_log_gpu, auto_log_cpu):
        runs.append(Run(dict(locals(), runs=None)))
        return runs[-1]

    install(monkeypatch, "trackio", init=init)
    monkeypatch.delenv("TRACKIO_PROJECT", raising=False)
    return runs


def test_trackio_continues_by_name_and_ends_with_the_final_values(trackio, lab):
    from seer_bench.trackers.trackio import TrackioTracker

    run = lab.run([lab.chain(0, 3)])
    place = play(TrackioTracker(), lab, run, [lab.chain(1, 1)])
    (held,) = trackio
    assert place == "look at it with: trackio show --project seer-bench"
    assert held.asked["name"] == f"{run.name} {run.id}"
    assert (held.asked["resume"], held.asked["embed"], held.asked["auto_log_cpu"]) == ("allow", False, False)
    assert held.asked["config"] == run.config
    (step, row), (last, final) = held.points
    assert (step, row["average_length"], row["unit/solved"]) == (2, 2, 1)
    assert (last, final["average_length"]) == (2, 2)
    assert {"average_length_low", "success_rate/1_high", "task/push"} <= set(final)
    assert held.finished
