"""MVP's frozen image encoders (Radosavovic et al., 2022) under a policy head of ours."""
