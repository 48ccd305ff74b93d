"""Anything else: demonstrations in files of no known format, read as one line of a map says."""

from steadyhand.data.mapping.assemble import RATE
from steadyhand.data.mapping.guess import UnknownFormat, a_map_suggested, command, guess
from steadyhand.data.mapping.opened import listed, open_mapped

__all__ = ["RATE", "UnknownFormat", "a_map_suggested", "command", "guess", "listed", "open_mapped"]
