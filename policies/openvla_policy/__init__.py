"""The policy `openvla`: asks OpenVLA's deployment server, over HTTP, for every action."""
