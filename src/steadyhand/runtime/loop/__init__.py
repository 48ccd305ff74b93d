"""The fixed-rate loop that moves a robot, and all that it takes.

`run.py` is the door; prediction goes on beside it, and time is the clock's.
"""

from steadyhand.runtime.loop.patience import Patience
from steadyhand.runtime.loop.report import LoopReport
from steadyhand.runtime.loop.run import run_loop
from steadyhand.runtime.loop.timing import Timing

__all__ = ["LoopReport", "Patience", "Timing", "run_loop"]
