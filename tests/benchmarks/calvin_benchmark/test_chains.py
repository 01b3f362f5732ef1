"""The shipped chains, sentences and initial states against upstream's."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np

from calvin_benchmark.chains import chains_sha256, initial_state_vectors, load_chains, load_sentences
from calvin_benchmark.generator import initial_states
from calvin_benchmark.oracle import TASK_NAMES


def test_the_list_is_upstreams(golden):
    upstream = json.loads((golden / "eval_sequences.json").read_text())
    ours = [{"initial_state": asdict(chain.initial_state), "sequence": list(chain.subtasks)} for chain in load_chains()]
    assert ours == upstream
    assert [chain.index for chain in load_chains()] == list(range(1000))


def test_the_sentences_are_upstreams(golden):
    assert load_sentences() == json.loads((golden / "tasks_and_annotations.json").read_text())["annotations"]
    assert tuple(load_sentences()) == TASK_NAMES


def test_initial_state_vectors_are_upstreams(golden):
    recorded = np.load(golden / "eval_init_states.npz")
    robot_obs, scene_obs = recorded["robot_obs"], recorded["scene_obs"]
    for chain in load_chains():
        robot, scene = initial_state_vectors(chain.initial_state)
        np.testing.assert_array_equal(robot, robot_obs[chain.index])
        np.testing.assert_array_equal(scene, scene_obs[chain.index])


def test_drawing_a_state_leaves_the_global_random_stream_alone():
    np.random.seed(1)  # noqa: NPY002  # the global stream is the subject
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(1)  # noqa: NPY002
    initial_state_vectors(initial_states()[5])
    assert np.random.random() == expected  # noqa: NPY002


def test_the_digest_depends_on_the_content():
    assert len(chains_sha256()) == 64
    assert chains_sha256() == chains_sha256()
