"""What is mended in demonstrations before they are written again: a new set, never in place.

Each takes episodes and gives others, read when they are asked for, and says what it did.
"""

from steadyhand.data.mending.mending import Mending
from steadyhand.data.mending.names import dropped, renamed
from steadyhand.data.mending.rate import Actions, resampled
from steadyhand.data.mending.trim import trimmed

__all__ = ["Actions", "Mending", "dropped", "renamed", "resampled", "trimmed"]
