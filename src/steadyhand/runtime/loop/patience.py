"""How long a loop goes on without what it needs before it brings the robot to rest."""

from dataclasses import dataclass
from typing import Annotated

from steadyhand.sizes import Count, Natural
from steadyhand.values import POSITIVE, checked

Seconds = Annotated[float, POSITIVE]


@checked
@dataclass(frozen=True, kw_only=True)
class Patience:
    """Each one step too many ends the loop with its error."""

    observations: Natural = 10
    """Ticks in a row whose observation is too old or not finite. The plan goes on meanwhile, and
    nothing is asked for."""
    failures: Count = 3
    """Predictions in a row that raise, are not finite or do not come. Each is asked for anew."""
    answer_s: Seconds = 5.0
    """Seconds after which one answer is given up."""
    predictor_s: Seconds = 10.0
    """Seconds without any answer where one is waited for."""
    first_s: Seconds = 120.0
    """The same for the first, before anything moves: a policy may still be compiled."""
