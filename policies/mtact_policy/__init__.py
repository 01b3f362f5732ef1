"""The policy `mtact`: the multi-task action-chunking transformer of RoboAgent (Bharadhwaj et al., 2023)."""
