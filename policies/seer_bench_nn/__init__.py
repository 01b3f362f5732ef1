"""Network parts that several policies share: plain PyTorch, no global state, parameter names of the published files."""
