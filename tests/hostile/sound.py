"""The numbers that are in every valid case: two episodes of six steps."""

import numpy as np

ENDS = np.array([6, 12])
STATE = np.arange(36, dtype=np.float32).reshape(12, 3) / 8
ACTION = STATE[:, :2] * 2 + 1
ARRAYS = {"state": STATE, "action": ACTION}
