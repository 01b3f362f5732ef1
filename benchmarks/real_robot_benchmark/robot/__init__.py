"""Letting the harness drive: a robot behind a small protocol, a policy in a process of its own, and a brake on both.

io           what a driver is: cameras, measured state, targets at 15 Hz, stop
drivers      which drivers are installed
conventions  what a policy sees and what its actions mean, as in Seer's deployment
safety       limits; a command beyond them is refused, never clipped
rate         the beat of the loop, and how well it was kept
stopping     the emergency stop, and the watchdog that pulls it
policy       a policy in a process of its own, with a deadline
recorder     films and executed actions of an attempt
attempt      one attempt, beat by beat
driver       one attempt after another, on the keys of the campaign's session
judge        presses those keys for a simulated robot
simulated    a robot that is a simulator, so that all of this can be tried without one
"""
