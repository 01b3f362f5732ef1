"""MPI's frozen image encoders (Zeng et al., 2024) under a policy head of ours."""
