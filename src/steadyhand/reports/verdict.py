"""What an offline judgement means, in words: whether the policy beats what learns nothing.

And what to do next. It claims no more than can be told on so many episodes.
"""

from shlex import quote

from steadyhand.evaluation.metrics import Difference
from steadyhand.evaluation.offline import Judgement
from steadyhand.tasks.own import task_flag

WORDS = {
    "policy": "the policy",
    "hold": "holding the last action",
    "nearest": "doing what was done in the nearest moment of training",
}


def verdict(found: Judgement) -> str:
    """Whether the policy is better than each baseline, by how much, or that it cannot be told."""
    sentences = []
    for name, difference in found.differences.items():
        baseline = found.error.mean - difference.mean
        part = f"{found.error.mean / baseline:.2f} of" if baseline > 0 else "not zero, as"
        sentences.append(_sentence(WORDS[name], difference, f"{part} that"))
    return " ".join(sentences)


def _sentence(words: str, found: Difference, share: str) -> str:
    count = "one episode" if found.n == 1 else f"{found.n} episodes"
    if found.known:
        share += f" ({_amount(found.low)} to {_amount(found.high)} with 95 % confidence)"
    if not told(found):
        return f"Whether it is better than {words} cannot be told on {count}: its error is {share}."
    way = "better" if found.mean < 0 else "worse"
    return f"On {count} it is {way} than {words}: its error is {share}."


def summary(found: Judgement) -> str:
    """The errors themselves, in words."""
    numbers = ", ".join(str(number) for number in found.episodes[:8])
    more = ", …" if len(found.episodes) > 8 else ""
    nearest = "" if found.nearest is None else f", the nearest neighbour's by {found.nearest}"
    count = "1 episode" if len(found.episodes) == 1 else f"{len(found.episodes)} episodes"
    were = "was" if len(found.episodes) == 1 else "were"
    return (
        f"On {count} that {were} not trained on ({numbers}{more}; "
        f"{found.windows} moments), predicted actions are off by {found.error} in robot units, "
        f"those of holding the last action by {found.hold}{nearest}. The best of "
        f"{found.samples} samples is off by {found.best.mean:.3g}; samples of one moment spread by "
        f"{found.spread:.3g}."
    )


def told(found: Difference) -> bool:
    """Whether a difference can be told from none."""
    return found.p < 0.05


def _amount(difference: float) -> str:
    return f"{abs(difference):.3g} {'less' if difference < 0 else 'more'}"


def next_step(found: Judgement, run: str, *, task: str | None = None) -> str:
    """What to do after this judgement of the policy in `run`, which acts in `task` if in any."""
    hold, nearest = found.differences["hold"], found.differences.get("nearest")
    better = "train longer (--minutes, --steps) or on more demonstrations"
    if hold.mean >= 0:
        return (
            "Next: this is nothing for a robot yet, its error is no smaller than that of holding "
            f"still. Let it see other observations (--observations), {better}; then judge again."
        )
    if not told(hold):
        return (
            "Next: judge on more episodes before a robot moves: train with a larger "
            "--validation-share, or name demonstrations that it was not trained on with --data."
        )
    if nearest is not None and nearest.mean >= 0:
        why = "so far the nearest moment of training answers as well"
        return f"Next: before a robot moves, {better}: {why}."
    if task:
        return f"Next: steadyhand evaluate {quote(run)}{task_flag(task)} --episodes 50 --video 3"
    return f"Next: load_policy({run!r}) in your robot's loop, slowly at first."
