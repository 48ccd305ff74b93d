"""Which episodes are disturbed where a task disturbs some: every other one, as their seeds say."""


def disturbed(seed: int) -> bool:
    """Half of any run of seeds, to within a few: multiples of an irrational number, from which
    `Fork.goes_left` is independent."""
    return (seed + 0.5) * 2**0.5 % 1 < 0.5
