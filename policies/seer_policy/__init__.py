"""Seer (Tian et al., 2024): actions by inverse dynamics towards the images that the policy itself foresees."""
