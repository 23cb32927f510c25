"""Types of numpy arrays."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
"""What the network computes in."""
Integers = NDArray[np.int64]
