"""Each method on data whose answer is known: in two dimensions, and on a curve through 28."""

from functools import lru_cache

import numpy as np
import pytest

from steadyhand.diffusion.sampling import SamplerConfig
from steadyhand.methods.choices import Consistency
from steadyhand.recipes.methods import METHODS
from steadyhand.studies.distributions import curve, generate, learn, mixture, sliced_wasserstein

SAMPLES = 1000
DRAWS = 3
DISTRIBUTIONS = {"mixture": mixture, "curve": curve}
AVERAGING = ("regression", "gaussian", "mip")
"""What answers with a mean, or with one peak around it."""
STEPS = {"mixture": 800, "curve": 1200}
"""Of training."""


@lru_cache
def between_true_samples(distribution: str) -> float:
    """The distance between two samples of the truth, on average over thirty pairs."""
    draw = DISTRIBUTIONS[distribution]
    pairs = [[draw(SAMPLES, np.random.default_rng([s, n])) for s in (1, 2)] for n in range(30)]
    return float(np.mean([sliced_wasserstein(a, b) for a, b in pairs]))


@lru_cache
def trained(method: str, distribution: str, steps: int):
    """The method's sampler; consistency is distilled from flow."""
    process = METHODS[method]
    teacher = trained("flow", distribution, steps) if isinstance(process, Consistency) else None
    draw = DISTRIBUTIONS[distribution]
    options = {"steps": steps, "teacher": teacher, "width": 64}
    return learn(process, draw, sampler=SamplerConfig(clip=2.0), **options)


def distance(method: str, distribution: str, steps: int) -> float:
    """From its samples to the truth, in units of that between two samples of the truth."""
    draw = DISTRIBUTIONS[distribution]
    sampler = trained(method, distribution, steps)
    shape = draw(1, np.random.default_rng(0)).shape[1:]
    found = [
        sliced_wasserstein(
            generate(sampler, shape, SAMPLES, seed=n), draw(SAMPLES, np.random.default_rng([3, n]))
        )
        for n in range(DRAWS)
    ]
    return float(np.mean(found)) / between_true_samples(distribution)


RIGHT = [
    (method, name)
    for name in DISTRIBUTIONS
    for method in METHODS
    # Normal distributions along the axes follow a curve only in ever smaller pieces: below.
    if method not in AVERAGING and (method, name) != ("mixture", "curve")
]


@pytest.mark.parametrize(("method", "distribution"), RIGHT)
def test_samples_are_those_of_the_truth(method, distribution) -> None:
    steps = STEPS[distribution] // (2 if method == "bins" else 1)
    begun, done = distance(method, distribution, 20), distance(method, distribution, steps)
    assert done < 2
    assert begun > 2 * done, "it is the training that does it"


@pytest.mark.parametrize("method", AVERAGING)
def test_a_mean_is_none_of_several_answers(method) -> None:
    assert distance(method, "mixture", 400) > 2.5


def test_a_mixture_of_normal_distributions_cuts_the_corners_of_a_curve() -> None:
    assert 2 < distance("mixture", "curve", 700) < 12


def test_the_distance_is_that_of_shifted_samples() -> None:
    """Between a sample and itself moved by one, each direction is off by its own component."""
    samples = mixture(500, np.random.default_rng(0))
    assert sliced_wasserstein(samples, samples) == 0
    moved = samples + np.array([1, 0], np.float32)
    assert sliced_wasserstein(samples, moved, 2000) == pytest.approx(np.sqrt(0.5), rel=0.05)
    spun = sliced_wasserstein(curve(400, np.random.default_rng(1)), np.zeros((400, 4, 7)))
    assert spun > 0.1
