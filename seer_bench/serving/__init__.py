"""Policies in another process: the wire format, and the server behind `seer-bench serve`.

The format is openpi's (https://github.com/Physical-Intelligence/openpi): WebSocket frames of MessagePack, the server's
metadata first, then an answer for each observation. `docs/remote.md` describes it and what seer-bench adds.
"""
