"""Columns of a feature as people are told of them."""

from steadyhand.data.episodes import Episodes


def column_told(episodes: Episodes, key: str, column: int, *more: str) -> str:
    """A column of a feature by number, in brackets what the file calls it and what else is said."""
    words = (*episodes.names.get(key, ())[column : column + 1], *more)
    return f"{column} ({', '.join(words)})" if words else str(column)
