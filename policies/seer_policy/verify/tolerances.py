"""How far outputs may lie from a recording, and why; the figures are of the recordings that were made of upstream.

The recordings were made with the patches of every image in a random order, as upstream does, which alone moves the
outputs by up to 1e-6. A tolerance is well above what correct code was measured to differ by, and below what the
smallest fault that was tried changes.
"""

from __future__ import annotations

REDUCED = 2e-5
"""Outputs of reduced networks in float32. Measured: 1.2e-6; the exact GELU in place of GPT-2's approximate one moves
actions by 1.6e-4 and more, a wrong mask by 0.2."""
FULL = 1e-4
"""Outputs of networks of full size in float32, and of CLIP's text tower. Measured: 1.3e-5, a text feature."""
BFLOAT16 = 1e-2
"""Actions where the vision encoder computes in bfloat16. Measured: 3.2e-3, where upstream itself scatters by 2e-3 from
run to run."""
LOSS = 2e-6
"""Losses, which are means over thousands of outputs. Measured: 6e-8."""
GRADIENT = 5e-6
"""Global norm of the gradient, near 1. Measured: 3e-7."""
LOSS_AFTER_STEP = 5e-6
"""Losses after one step of AdamW, which moves every weight by the learning rate, however small its gradient is: where
that is as good as zero, rounding decides the sign. Measured: 6e-8."""
CHECKSUM = 1e-8
"""Sums over drawn weights, in float64. Measured: 0."""
PIXEL = 1e-6
"""Preprocessed pixels. The resized ones are equal integers; only their scaling is floating-point."""
PIXEL_SUM = 0.1
"""Sums over 150,528 pixels, and of their squares, of up to 1e5: 1e-6 a pixel."""
ENSEMBLE = 1e-12
"""Averages of recorded actions, in float64. Measured: 0; only the exponential function may differ elsewhere."""
