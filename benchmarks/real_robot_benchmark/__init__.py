"""Trials on a real robot: tasks as data, blinded plans, a log that survives power cuts, and runs for the reports.

tasks     what is played: instruction, ordered stages, cases, disturbances; read from YAML
plan      in which order: every policy meets the same case close in time, seeded and balanced
seal      who is who: letters for the operator, the key under a seal until the last trial
events    what happened: one line on the disk for every key press, each with the hash of the one before
fold      what that means: the state, a pure fold over plan and events
session   pressing keys: one console at a time, on the disk before the screen changes
records   what it came to: a run directory a policy, in the store that simulated runs use
"""
