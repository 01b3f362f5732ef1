"""Doors, button, switch and lights of the table: one joint or link each.

The button toggles the LED on every press (rising edge); the switch holds the light bulb on while it is up.
Source: calvin_env, scene objects.
"""

from __future__ import annotations

from .actions import Variant
from .engine import p
from .scene import Colour


class Light:
    """A table link that is painted in its colour while it is on."""

    def __init__(self, table: int, link: int, on: Colour, off: Colour, client: int) -> None:
        self._table, self._link, self._client = table, link, client
        self._colours = off, on
        self.is_on = False

    def turn(self, on: bool) -> None:
        """Switch the light and repaint it."""
        self.is_on = on
        p.changeVisualShape(self._table, self._link, rgbaColor=self._colours[on], physicsClientId=self._client)


class TableJoint:
    """A prismatic joint of the table."""

    def __init__(self, table: int, joint: int, client: int) -> None:
        self._table, self._joint, self._client = table, joint, client

    @property
    def position(self) -> float:
        """Metres from the closed, released or low end."""
        return float(p.getJointState(self._table, self._joint, physicsClientId=self._client)[0])

    def reset(self, position: float) -> None:
        """Put the joint at `position` metres, at rest."""
        p.resetJointState(self._table, self._joint, position, physicsClientId=self._client)

    def _threshold(self) -> float:
        """Half the joint's travel."""
        lower, upper = p.getJointInfo(self._table, self._joint, physicsClientId=self._client)[8:10]
        return float((lower + upper) / 2)

    def _brake(self, force: float) -> None:
        """Hold the joint in place with at most `force`, which works like friction."""
        p.setJointMotorControl2(self._table, self._joint, p.VELOCITY_CONTROL, force=force, physicsClientId=self._client)


class Door(TableJoint):
    """The sliding door or the drawer: stays where it is left."""

    def __init__(self, table: int, joint: int, force: float, client: int) -> None:
        super().__init__(table, joint, client)
        self._brake(force)


class Button(TableJoint):
    """Springs back; each press toggles its light."""

    def __init__(self, table: int, joint: int, force: float, light: Light, variant: Variant, client: int) -> None:
        super().__init__(table, joint, client)
        self._light = light
        self._variant = variant
        self._press_depth = self._threshold()
        p.setJointMotorControl2(table, joint, p.POSITION_CONTROL, targetPosition=0, force=force, physicsClientId=client)
        self.is_on = False
        self._was_pressed = self.position > self._press_depth

    def reset(self, position: float) -> None:
        """Reset joint and logic; on the pinned variant a lit LED needs two presses to go out."""
        super().reset(position)
        self.is_on = self._light.is_on if self._variant == "main" else False

    def step(self) -> None:
        """Update the logic after the physics of one action."""
        pressed = self.position > self._press_depth
        if pressed and not self._was_pressed:
            self.is_on = not self.is_on
            self._light.turn(self.is_on)
        self._was_pressed = pressed


class Switch(TableJoint):
    """Stays where it is left; its light follows it, once it has moved across the middle."""

    def __init__(self, table: int, joint: int, force: float, light: Light, client: int) -> None:
        super().__init__(table, joint, client)
        self._light = light
        self._middle = self._threshold()
        self._brake(force)
        self.is_on = False

    def reset(self, position: float) -> None:
        """Reset joint and logic; the light is not touched before the logic sees a change."""
        super().reset(position)
        self.is_on = False

    def step(self) -> None:
        """Update the logic after the physics of one action."""
        up = self.position > self._middle
        if up != self.is_on:
            self._light.turn(up)
        self.is_on = up
