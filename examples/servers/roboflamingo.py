r"""Serve RoboFlamingo on CALVIN, from RoboFlamingo's own environment.

    cd RoboFlamingo; pip install websockets msgpack
    torchrun --nproc_per_node=1 /path/to/roboflamingo.py --port 8001 -- (the arguments of eval_calvin.py)

and on the other side

    seer-bench run calvin --protocol calvin-abc-d/seer-v1 --policy remote --policy-arg url=ws://HOST:8001

Rules (source: github.com/RoboFlamingo/RoboFlamingo @ 1475a07, robot_flamingo/eval/eval_utils.py): both pictures as
rendered, the first line of the sentence, one action a step, 360 steps a subtask. The recurrent state of the policy
head is kept over a subtask and dropped where one begins; once it spans more frames than --window_size, upstream
computes it anew from the newest of them. With --replan N it is also dropped every N windows. Actions are float16 and
reach the simulator so. Checkpoints with a diffusion head, which plan several actions, are refused; --refresh has no
effect, as in upstream, where it never reaches the model.

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


class RoboFlamingo:
    """Between observations of CALVIN and the model.

    Args:
        model: `reset()` forgets, `save()` gives the recurrent state, `restore(state)` takes it back, and `step(static,
            gripper, robot_obs, sentence)` gives an action (7,) and goes on.
        replan: steps after which everything is forgotten; -1: never.
    """

    def __init__(self, model, replan=-1):
        self._model, self._replan = model, replan
        self.metadata = metadata(
            "RoboFlamingo", {"history": "recurrent state of a subtask", "sentence": "first line", "replan": str(replan)}
        )

    def begin(self, observation):
        """A subtask begins."""
        return {"sentence": observation["prompt"].split("\n")[0], "state": None, "step": 0}

    def act(self, memory, observation):
        """One action (1, 7), float16: increments, and a gripper of -1 (close) or 1 (open)."""
        again = self._replan != -1 and memory["step"] % self._replan == 0
        if memory["state"] is None or again:
            self._model.reset()
        else:
            self._model.restore(memory["state"])
        names = ("rgb_static", "rgb_gripper", "robot_obs")
        action = np.asarray(self._model.step(*[observation[name] for name in names], memory["sentence"]))
        if action.shape != (7,):
            raise ValueError(f"the model gave actions of shape {action.shape}; this server takes (7,)")
        memory["state"], memory["step"] = self._model.save(), memory["step"] + 1
        return action.astype(np.float16)[None]


class Upstream:
    """RoboFlamingo's `ModelWrapper`, whose state can be taken out and put back."""

    QUEUES = ("img_queue", "gripper_queue", "state_queue", "mask_queue", "text_queue")

    def __init__(self, wrapper):
        self._wrapper = wrapper
        module = wrapper.model.module
        self._heads = [module.lang_encoder.lm_head] + ([module.lm_head] if module.sep_lm_head else [])

    def reset(self):
        self._wrapper.reset()

    def save(self):
        queues = {name: getattr(self._wrapper, name).copy() for name in self.QUEUES}
        heads = [(head.hidden_state, list(head.history_memory)) for head in self._heads]
        return queues, self._wrapper.feature_cache, heads

    def restore(self, state):
        queues, self._wrapper.feature_cache, heads = state
        for name, queue in queues.items():
            setattr(self._wrapper, name, queue.copy())
        for head, (hidden, history) in zip(self._heads, heads):
            head.hidden_state, head.history_memory = hidden, list(history)

    def step(self, static, gripper, robot_obs, sentence):
        pictures = {"rgb_static": static.copy(), "rgb_gripper": gripper.copy()}
        return self._wrapper.step({"rgb_obs": pictures, "robot_obs": robot_obs.copy()}, sentence)


def main():
    """Let upstream's evaluation load the model from its own arguments, and serve where it would evaluate."""
    theirs = {"upstream": {"nargs": "*", "help": "after --: arguments of eval_calvin.py"}}
    options = arguments(__doc__, 8001, theirs)
    sys.argv = ["eval_calvin.py", *options.upstream]

    sys.path[:0] = [".", "robot_flamingo/eval"]  # where upstream's scripts expect to be started
    import eval_calvin
    from eval_utils import ModelWrapper, get_cast_dtype

    def serve_it(args, model, image_processor, tokenizer, **_):
        if args.head_type == "diffusion":
            raise SystemExit("a diffusion head plans several actions; this server takes heads that give one")
        history = args.pad_length if args.pad_length != -1 else None
        dtype = get_cast_dtype(args.precision)
        wrapper = ModelWrapper(model, tokenizer, image_processor, dtype, False, history_len=history)
        adapter = RoboFlamingo(Upstream(wrapper), wrapper.replan)  # --replan counts windows, wrapper.replan steps
        run(adapter, options.host, options.port)

    eval_calvin.eval_one_epoch_calvin_ddp = serve_it
    eval_calvin.main()


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
