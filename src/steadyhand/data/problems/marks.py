"""Demonstrations that their file marks as failed, and that would be imitated like the others."""

from collections.abc import Iterator

from steadyhand.data.episodes import Episodes
from steadyhand.data.problem import Problem
from steadyhand.data.problems.leaving import leave_out, named


def inspect(episodes: Episodes) -> Iterator[Problem]:
    """How many are marked as failed, and how they are left out."""
    failed = [place for place, mark in enumerate(episodes.success) if mark is False]
    if not failed:
        return
    count, well = len(episodes), sum(mark is True for mark in episodes.success)
    which = named(episodes, failed)
    if len(failed) == count:
        which = "all episodes"
        what = "Check what the mark means: if it is true, there is nothing here to imitate."
    elif well + len(failed) < count:
        what = f"Leave them out: {leave_out(episodes, failed)}"
        what += " (--select success leaves out those without a mark, too)." if well else "."
    else:
        what = "Leave them out: --select success."
    message = (
        f"{len(failed)} of {count} demonstrations are marked as failed, {which}: a policy imitates "
        f"them like the others. {what}"
    )
    yield Problem("failed", message, episodes.number(failed[0]))
