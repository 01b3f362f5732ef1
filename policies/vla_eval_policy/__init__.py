"""The policy `vla_eval`: asks a model server of the vla-eval harness for every action."""
