"""GR-1 (Wu et al., 2024): a causal transformer that predicts actions and, in training, the images of the future."""
