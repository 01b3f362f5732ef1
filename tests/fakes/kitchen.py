"""A kitchen to try: two tasks, a clock that a test moves, and an operator who plays a trial."""

from __future__ import annotations

from real_robot_benchmark.session import Session

TASKS = """\
schema: seer-bench/real-tasks/1
name: kitchen
trials: 2
aggregation: majority
tasks:
  - name: pour_tea
    instruction: pour the tea
    stages: [lift the pot, fill the cup]
    setup: Pot on the left.
    cases: [Cup in front., Cup at the back.]
    time_limit_s: 60
    disturbances:
      - {name: dark, setup: lights off}
  - name: wash_up
    label: Washing Up
    instruction: wash the cup
    stages: [grasp the cup, rinse it, rack it]
    cases: 3
"""


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


def play(session: Session, stages: int, seconds: float = 10.0) -> None:
    """One whole trial that completes so many stages."""
    clock = session._clock
    assert isinstance(clock, Clock)
    clock.wait(20)
    session.press("space")
    clock.wait(seconds)
    if stages:
        session.press(str(stages))
    if session.state.phase == "running":
        session.press("f")
    session.press("enter")
