r"""Serve SuSIE on CALVIN, from the environment of its CALVIN evaluation.

    pip install websockets msgpack
    DIFFUSION_MODEL_CHECKPOINT=... GC_POLICY_CHECKPOINT=... python susie.py --upstream calvin-sim --port 8002

and on the other side

    seer-bench run calvin --protocol calvin-abc-d/seer-v1 --policy remote --policy-arg url=ws://HOST:8002 \
        --policy-arg keys=rgb_static:rgb_static

Rules (source: github.com/pranavatreya/calvin-sim @ 5627b95, calvin_models/calvin_agent/evaluation): one picture,
200 x 200, 360 steps a subtask. Every 20 steps of a subtask, from its first one, the image editor paints a sub-goal
from the newest picture and the sentence. At every step the goal policy predicts 4 actions; what was predicted for the
present step, now and at up to 3 earlier steps of the subtask, is averaged with equal weights, and the gripper opens
unless its average is below 0. An average spans the moment at which the sub-goal changes.

Upstream's editor draws its noise from a generator that starts at the time of day. Here every sub-goal is drawn from the
seed of the subtask, so that a unit ends the same whatever was played before it.

Docs: docs/servers.md. Needs Python 3.8 or newer.
"""

from __future__ import annotations

import argparse
import collections
import hmac
import os
import sys
import threading
import traceback
from pathlib import Path

import msgpack
import numpy as np
from websockets.sync.server import serve

CHECKPOINTS = ("DIFFUSION_MODEL_CHECKPOINT", "GC_POLICY_CHECKPOINT")


class Susie:
    """Between observations of CALVIN and the two models.

    Args:
        model: `goal(sentence, picture, seed)` paints a picture (200, 200, 3), `actions(picture, goal)` predicts (4, 7).
    """

    SUBGOAL_STEPS = 20
    HORIZON = 4

    def __init__(self, model):
        self._model = model
        self.metadata = metadata(
            "SuSIE", {"subgoal_steps": str(self.SUBGOAL_STEPS), "averaged_predictions": str(self.HORIZON)}
        )

    def begin(self, observation):
        """A subtask begins."""
        newest = collections.deque(maxlen=self.HORIZON)
        return {
            "sentence": observation["prompt"],
            "seed": observation["seed"],
            "goal": None,
            "step": 0,
            "predictions": newest,
        }

    def act(self, memory, observation):
        """One action (1, 7): increments, and a gripper of -1 (close) or 1 (open)."""
        picture = observation["rgb_static"]
        if memory["step"] % self.SUBGOAL_STEPS == 0:
            memory["goal"] = self._model.goal(memory["sentence"], picture, memory["seed"] + memory["step"])
        predicted = np.array(self._model.actions(picture, memory["goal"]), dtype=np.float64)
        if predicted.shape != (self.HORIZON, 7):
            raise ValueError(f"the goal policy gave actions of shape {predicted.shape}; (4, 7) are needed")
        memory["predictions"].appendleft(predicted)
        memory["step"] += 1
        action = np.mean([earlier[age] for age, earlier in enumerate(memory["predictions"])], axis=0)
        action[6] = -1.0 if action[6] < 0 else 1.0
        return action[None]


class Upstream:
    """The models of calvin-sim, loaded by its own classes."""

    def __init__(self):
        import diffusion_gc_policy
        import jax
        import jax_diffusion_model

        self._editor = jax_diffusion_model.DiffusionModel()
        self._agent = diffusion_gc_policy.GCPolicy().agent
        self._key = jax.random.PRNGKey
        sample = self._editor.sample_fn
        self._generator = sample.__closure__[sample.__code__.co_freevars.index("rng")]

    def goal(self, sentence, picture, seed):
        self._generator.cell_contents = self._key(seed % 2**31)
        return self._editor.generate(sentence, picture)

    def actions(self, picture, goal):
        seen = {"image": picture[np.newaxis]}
        seed = self._key(42)  # upstream's, the same at every step
        return np.array(self._agent.sample_actions(seen, {"image": goal}, seed=seed, temperature=0.0).tolist())


def main():
    """Load both models and serve them."""
    checkout = {"--upstream": {"required": True, "help": "checkout of calvin-sim, which holds mini_dataset"}}
    options = arguments(__doc__, 8002, checkout)
    for name in CHECKPOINTS:
        if not os.environ.get(name):
            raise SystemExit(f"the variable {name} names a checkpoint of upstream's; see docs/servers.md")
        if Path(os.environ[name]).exists():  # otherwise a name on the Hugging Face hub
            os.environ[name] = str(Path(os.environ[name]).resolve())
    upstream = Path(options.upstream).resolve()
    sys.path.insert(0, str(upstream / "calvin_models" / "calvin_agent" / "evaluation"))
    os.chdir(upstream)  # mini_dataset, from which the policy takes its shapes, is read from here
    run(Susie(Upstream()), options.host, options.port)


# --- The wire and the episodes: the same lines in every server of this folder --------------------------------


def metadata(policy, settings):
    """What the client is told first: one action an answer, and keys that tell episodes apart."""
    about = {"version": 1, "sessions": False, "episodes": True, "policy": policy, "chunk": 1, "settings": settings}
    return {"seer_bench": about}


def pack(tree):
    """MessagePack with NumPy arrays, as openpi writes them."""
    return msgpack.packb(tree, default=_pack_array)


def unpack(frame):
    """The inverse of `pack`; nothing is unpickled."""
    return msgpack.unpackb(frame, object_hook=_unpack_array)


def _pack_array(value):
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return {b"__ndarray__": True, b"data": value.tobytes(), b"dtype": value.dtype.str, b"shape": value.shape}
    raise TypeError(f"{type(value).__name__} cannot be sent")


def _unpack_array(tree):
    if b"__ndarray__" not in tree:
        return tree
    dtype = np.dtype(tree[b"dtype"])
    if dtype.kind not in "biuf":
        raise ValueError(f"an array of dtype {dtype}")
    return np.frombuffer(tree[b"data"], dtype).reshape(tree[b"shape"])


class Episodes:
    """What the adapter remembers of every episode that one connection plays; an episode is one subtask in one slot."""

    MOST = 64
    """Episodes that are remembered; the one that was played the longest time ago is forgotten first."""

    def __init__(self, adapter):
        self._adapter = adapter
        self._memories = collections.OrderedDict()

    def act(self, observation):
        """Actions (chunk, 7) for an observation, which also holds prompt, episode_id, reset, step."""
        name, step = observation["episode_id"], observation["step"]
        if observation["reset"]:
            memory, expected = self._adapter.begin(observation), 0
        elif name in self._memories:
            memory, expected = self._memories.pop(name)
        else:
            raise LookupError(f"the episode {name} is not known here; it began on another connection")
        if step != expected:
            raise LookupError(f"step {step} of the episode {name} came where {expected} was awaited")
        actions = self._adapter.act(memory, observation)
        self._memories[name] = memory, expected + 1
        while len(self._memories) > self.MOST:
            self._memories.popitem(last=False)
        return actions


def arguments(about, port, words):
    """The options of this server, without the folder of this file among the places to import from.

    A file there may have the name of a package of upstream's.
    """
    here = Path(__file__).resolve().parent
    sys.path[:] = [place for place in sys.path if Path(place).resolve() != here]
    parser = argparse.ArgumentParser(description=about.split("\n")[0])
    parser.add_argument("--host", default="127.0.0.1", help="another than this machine's own asks for a token")
    parser.add_argument("--port", type=int, default=port)
    for name, settings in words.items():
        parser.add_argument(name, **settings)
    options = parser.parse_args()
    if options.host not in ("127.0.0.1", "::1", "localhost") and not os.environ.get("SEER_BENCH_REMOTE_TOKEN"):
        parser.error("--host: set SEER_BENCH_REMOTE_TOKEN, on the other side too, before others can connect")
    return options


def run(adapter, host, port):
    """Serve an adapter until interrupted; one observation at a time reaches the model."""
    with server(adapter, host, port) as listening:
        name = adapter.metadata["seer_bench"]["policy"]
        print(f"serving {name} on ws://{host}:{listening.socket.getsockname()[1]}", flush=True)
        listening.serve_forever()


def server(adapter, host, port):
    """A server that is bound and not yet serving; it turns away web pages, and whoever lacks a token that is set."""
    lock = threading.Lock()
    token = os.environ.get("SEER_BENCH_REMOTE_TOKEN")

    def handle(connection):
        connection.send(pack(adapter.metadata))
        episodes = Episodes(adapter)
        for frame in connection:
            try:
                with lock:
                    answer = pack({"actions": episodes.act(unpack(frame))})
            except Exception:  # whatever it is, the client is told
                answer = traceback.format_exc()
            connection.send(answer)

    def admit(connection, request):
        if request.path == "/healthz":
            return connection.respond(200, "OK\n")
        shown = request.headers.get("Authorization", "")
        if token and not hmac.compare_digest(shown.encode(), f"Api-Key {token}".encode()):
            return connection.respond(401, "This server asks for a token.\n")
        return None

    return serve(handle, host, port, process_request=admit, origins=[None], compression=None, max_size=64 << 20)


if __name__ == "__main__":
    main()
