"""What the robot did: episodes, formats, windows, statistics. No torch."""

from steadyhand.data.episodes import Episodes, split_episodes
from steadyhand.data.formats import open_episodes, write_episodes
from steadyhand.data.policy_statistics import policy_statistics
from steadyhand.data.problems import Problem, inspect_episodes
from steadyhand.data.statistics import statistics, statistics_of
from steadyhand.data.windows import Windows, make_windows

__all__ = [
    "Episodes",
    "Problem",
    "Windows",
    "inspect_episodes",
    "make_windows",
    "open_episodes",
    "policy_statistics",
    "split_episodes",
    "statistics",
    "statistics_of",
    "write_episodes",
]
