"""The three sinks with their libraries, in processes, on the local disk; nothing leaves the machine.

Run with: pip install 'seer-bench[mlflow,trackio,wandb]' && pytest -m trackers
"""

from __future__ import annotations

import sqlite3

import pytest

from seer_bench.trackers import track

pytestmark = [pytest.mark.trackers, pytest.mark.usefixtures("plugins")]


def play_in_two_sessions(kept, lab, name):
    """Three chains, then two more; the run. Fails where the tracker did."""
    run = lab.run()
    for session in (range(3), range(3, 5)):
        watching = track(kept, [name], run.path)
        watching.started(run.manifest.protocol, len(session), [])
        for i in session:
            watching.finished(lab.add(run.path, lab.chain(i, i % 4)))
        watching.closed()
        assert not list(run.path.glob("tracker-*.log"))
    return run


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the libraries below MLflow
def test_mlflow(kept, lab, tmp_path, monkeypatch):
    pytest.importorskip("mlflow", exc_type=ImportError)
    from mlflow import MlflowClient

    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    run = play_in_two_sessions(kept, lab, "mlflow")
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("seer-bench")
    (held,) = client.search_runs([experiment.experiment_id])
    assert (held.info.run_name, held.info.status) == (run.name, "FINISHED")
    assert held.data.params == {key: str(value) for key, value in run.config.items()}
    assert held.data.metrics["average_length"] == pytest.approx(6 / 5)
    assert held.data.metrics["average_length_low"] < 6 / 5 < held.data.metrics["average_length_high"]
    steps = [metric.step for metric in client.get_metric_history(held.info.run_id, "unit/solved")]
    assert steps == [1, 2, 3, 4, 5]


def test_trackio(kept, lab, tmp_path, monkeypatch):
    pytest.importorskip("trackio", exc_type=ImportError)
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    run = play_in_two_sessions(kept, lab, "trackio")
    with sqlite3.connect(tmp_path / "trackio" / "seer-bench.db") as base:
        rows = base.execute("select run_name, step from metrics order by id").fetchall()
    assert {name for name, _ in rows} == {f"{run.name} {run.id}"}
    assert [step for _, step in rows] == [1, 2, 3, 3, 4, 5, 5]


def test_wandb(kept, lab, tmp_path, monkeypatch, capfd):
    pytest.importorskip("wandb", exc_type=ImportError)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    run = play_in_two_sessions(kept, lab, "wandb")
    files = list((tmp_path / "wandb").glob(f"offline-run-*-{run.id}/run-{run.id}.wandb"))
    assert len(files) >= 1  # sessions of one second share a folder
    written = b"".join(path.read_bytes() for path in files)
    for text in (run.name, run.group, "average_length_low", "unit/solved", "protocol_fingerprint"):
        assert text.encode() in written
    told = "\n".join((*kept.notes, capfd.readouterr().err))
    assert "wandb: offline; send it with: wandb sync" in told
