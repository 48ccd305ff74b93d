"""Anything else: demonstrations in files of no known format, read as one line of a map says."""

from steadyhand.data.mapping.assemble import open_mapped
from steadyhand.data.mapping.guess import a_map_suggested, command, guess
from steadyhand.data.mapping.trees import listed

__all__ = ["a_map_suggested", "command", "guess", "listed", "open_mapped"]
