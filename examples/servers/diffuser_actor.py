r"""Serve 3D Diffuser Actor on CALVIN, from its own environment.

    cd 3d_diffuser_actor; pip install websockets msgpack
    python /path/to/diffuser_actor.py --port 8003 -- (the arguments of online_evaluation_calvin/evaluate_policy.py)

and on the other side

    K=rgb_static:rgb_static,rgb_gripper:rgb_gripper,depth_static:depth_static,depth_gripper:depth_gripper
    seer-bench run calvin --protocol calvin-abc-d/diffuser-actor-v1 --policy remote \
        --policy-arg url=ws://HOST:8003 --policy-arg keys=$K,robot_obs:robot_obs

Rules (source: github.com/nickgkan/3d_diffuser_actor @ 4faf00b, online_evaluation_calvin): both pictures with depth and
the places of both cameras, from which the network sees points in the world; the poses of the hand at this and the two
earlier plans of the subtask; a plan of absolute poses, one fewer than --interpolation_length, of which up to 20 are
executed before the next plan. A subtask ends after 60 plans: 1,140 steps with the published arguments, which is what
the protocol calvin-abc-d/diffuser-actor-v1 allows. CALVIN's other protocols allow 360.

The simulator here takes increments of the pose commanded last. The server is asked at every step, hands out its plan
pose by pose, and follows the commanded pose over the subtasks of a unit, which the keys "unit_id" and "subtask" tell
apart. The camera in the hand is placed from the measured pose of the hand, to which it is fixed. Upstream draws all
plans of an evaluation from one generator; here each is drawn from the seed of the subtask, so that a unit ends the same
whatever was played before it.

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

METRES, RADIANS = 0.02, 0.05
"""What a value of 1 in CALVIN's relative action means."""

STATIC_CAMERA = np.array(
    [
        [0.723244, -0.030261, 0.689929, 2.871459],
        [0.514123, 0.690611, -0.508659, -2.166602],
        [-0.46108, 0.722593, 0.515038, 2.55516],
        [0.0, 0.0, 0.0, 1.0],
    ]
)
"""Pose of CALVIN's static camera in the world; x to the right, y up, z backwards."""

HAND_CAMERA = np.array(
    [
        [-0.000796, 0.963558, -0.267499, -0.1],
        [1.0, 0.000767, -0.000213, 0.0],
        [0.0, -0.267499, -0.963558, -0.14],
        [0.0, 0.0, 0.0, 1.0],
    ]
)
"""Pose of the gripper camera as seen from the tool centre point."""

FIELDS_OF_VIEW = {"static": 10.0, "gripper": 75.0}
"""Vertical, degrees."""


class DiffuserActor:
    """Between observations of CALVIN and the model.

    Args:
        model: `plan(rgb, points, hands, sentence, seed)` gives poses (n, 7): position in metres, Euler angles in
            radians, gripper -1 (close) or 1 (open). `rgb` is (2, 200, 200, 3) in [0, 1], `points` (2, 200, 200, 3)
            metres in the world, of the static and the gripper camera; `hands` is (3, 8): position, quaternion wxyz,
            openness.
        executed: how many poses of a plan are commanded, at most.
    """

    HISTORY = 3
    UNITS = 1024
    """Units whose commanded pose is remembered."""

    def __init__(self, model, executed=20):
        self._model, self._executed = model, executed
        self.metadata = metadata(
            "3D Diffuser Actor",
            {"executed_of_a_plan": str(executed), "history": str(self.HISTORY), "upstream.plans_of_a_subtask": "60"},
        )
        self._targets = collections.OrderedDict()
        """Pose (6,) that the simulator accumulates, by unit."""

    def begin(self, observation):
        """A subtask begins."""
        unit, first = observation["unit_id"], observation["subtask"] == 0
        if not first and unit not in self._targets:
            raise LookupError(f"the pose commanded last in the unit {unit} is not known here; it began elsewhere")
        target = np.array(observation["robot_obs"][:6]) if first else self._targets[unit]
        return {
            "sentence": observation["prompt"],
            "seed": observation["seed"],
            "unit": unit,
            "target": target,
            "hands": [],
            "plan": [],
        }

    def act(self, memory, observation):
        """One action (1, 7), float64: the increment that commands the next pose of the plan."""
        if not memory["plan"]:
            self._plan(memory, observation)
        pose = memory["plan"].pop(0)
        step = pose[:6] - memory["target"]
        memory["target"] = self._targets[memory["unit"]] = memory["target"] + step
        self._targets.move_to_end(memory["unit"])
        while len(self._targets) > self.UNITS:
            self._targets.popitem(last=False)
        return np.concatenate([step[:3] / METRES, step[3:] / RADIANS, pose[6:]])[None]

    def _plan(self, memory, observation):
        """Ask the model."""
        robot = observation["robot_obs"]
        hand = np.concatenate([robot[:3], upstream_quaternion(robot[3:6]), [(robot[14] + 1) / 2]])
        memory["hands"] = (memory["hands"][1:] if memory["hands"] else [hand] * (self.HISTORY - 1)) + [hand]
        places = {"static": STATIC_CAMERA, "gripper": hand_pose(robot) @ HAND_CAMERA}
        size = observation["rgb_static"].shape[0]
        rgb, points = [], []
        for camera, place in places.items():
            cloud = in_the_world(observation["depth_" + camera], place, FIELDS_OF_VIEW[camera])
            rgb.append(enlarged(observation["rgb_" + camera] / 255.0, size))
            chosen = nearest(len(cloud), size)
            points.append(cloud[chosen][:, chosen])
        seen = np.stack(rgb), np.stack(points), np.stack(memory["hands"])
        poses = np.array(self._model.plan(*seen, memory["sentence"], memory["seed"]))
        if poses.ndim != 2 or poses.shape[1] != 7 or not len(poses):
            raise ValueError(f"the model gave a plan of shape {poses.shape}; (n, 7) is needed")
        memory["plan"] = list(poses[: self._executed].astype(np.float64))
        memory["seed"] += 1


def in_the_world(depth, camera, field_of_view):
    """Points (height, width, 3) in metres of a depth image; the middle is column width // 2, row height // 2."""
    height, width = depth.shape
    focal = height / (2 * np.tan(np.deg2rad(field_of_view) / 2))
    rows, columns = np.mgrid[:height, :width]
    x, y = (columns - width // 2) * depth / focal, -(rows - height // 2) * depth / focal
    return np.stack([x, y, -depth], axis=2) @ camera[:3, :3].T + camera[:3, 3]


def hand_pose(robot):
    """Pose (4, 4) of the tool centre point from `robot_obs`, whose Euler angles turn about fixed axes x, y, z."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(robot[3:6]), np.sin(robot[3:6])
    pose = np.eye(4)
    pose[:3, :3] = [
        [cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx],
        [sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx],
        [-sy, cy * sx, cy * cx],
    ]
    pose[:3, 3] = robot[:3]
    return pose


def upstream_quaternion(euler):
    """Quaternion (4,) wxyz whose largest component is positive.

    Upstream reads the angles as turns about moving axes x, y, z, which they are not; its network was trained so.
    """
    quaternion = np.array([1.0, 0, 0, 0])
    for axis, angle in enumerate(euler):
        turn = np.zeros(4)
        turn[0], turn[1 + axis] = np.cos(angle / 2), np.sin(angle / 2)
        w, v = quaternion[0], quaternion[1:]
        quaternion = np.append(w * turn[0] - v @ turn[1:], w * turn[1:] + turn[0] * v + np.cross(v, turn[1:]))
    return quaternion * np.sign(quaternion[np.argmax(np.abs(quaternion))])


def enlarged(picture, size):
    """A picture (size, size, 3), bilinear, pixel edges aligned."""
    place = np.clip((np.arange(size) + 0.5) * len(picture) / size - 0.5, 0, len(picture) - 1)
    low = np.floor(place).astype(int)
    high, part = np.minimum(low + 1, len(picture) - 1), place - low
    rows = picture[low] * (1 - part)[:, None, None] + picture[high] * part[:, None, None]
    return rows[:, low] * (1 - part)[None, :, None] + rows[:, high] * part[None, :, None]


def nearest(old, new):
    """Indices (new,) that enlarge a side of `old` pixels without mixing them."""
    return np.arange(new) * old // new


class Upstream:
    """The model of 3d_diffuser_actor, loaded by its own class."""

    def __init__(self, model):
        self._model = model

    def plan(self, rgb, points, hands, sentence, seed):
        import torch

        torch.manual_seed(seed)

        pictures = {"rgb_static": rgb[0], "rgb_gripper": rgb[1]}
        clouds = {"pcd_static": points[0], "pcd_gripper": points[1]}
        words = self._model.encode_instruction(sentence, self._model.args.device)
        with torch.cuda.amp.autocast():
            return self._model.step({"rgb_obs": pictures, "pcd_obs": clouds, "proprio": hands}, words)[0]


def main():
    """Let upstream's evaluation load the model from its own arguments, and serve where it would evaluate."""
    theirs = {"upstream": {"nargs": "*", "help": "after --: arguments of evaluate_policy.py"}}
    options = arguments(__doc__, 8003, theirs)
    sys.argv = ["evaluate_policy.py", *options.upstream]

    sys.path.insert(0, ".")  # upstream's modules are not installed
    import torch
    from online_evaluation_calvin import evaluate_policy

    torch.backends.cudnn.benchmark = torch.backends.cudnn.deterministic = True  # as upstream's script begins
    os.environ["WORLD_SIZE"] = "1"
    args = evaluate_policy.Arguments().parse_args()
    args.local_rank = 0
    executed = min(evaluate_policy.EXECUTE_LEN, args.interpolation_length - 1)
    steps = evaluate_policy.EP_LEN * executed
    print(f"upstream ends a subtask after {evaluate_policy.EP_LEN} plans of {executed} poses: {steps} steps")
    evaluate_policy.make_env = lambda *_, **__: None
    evaluate_policy.evaluate_policy = lambda model, *_, **__: run(
        DiffuserActor(Upstream(model), executed), options.host, options.port
    )
    evaluate_policy.main(args)


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
