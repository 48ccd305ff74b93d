"""Durations in fixed bins: percentiles within a few per cent, whatever was measured."""

import numpy as np
import pytest

from steadyhand.runtime.loop.histogram import Histogram


@pytest.mark.parametrize("scale", [1e-1, 1.0, 1e3])
def test_percentiles_are_close_and_the_rest_exact(scale) -> None:
    values, histogram = scale * np.random.default_rng(0).lognormal(size=2000), Histogram()
    for value in values:
        histogram.add(value)
    for percent in (1, 50, 95, 99, 99.5, 100):
        exact = np.percentile(values, percent, method="inverted_cdf")
        assert exact <= histogram.percentile(percent) * (1 + 1e-9)
        assert histogram.percentile(percent) <= 1.012 * exact
    assert histogram.max() == values.max()
    assert histogram.mean() == pytest.approx(values.mean())
    told = histogram.as_json()
    assert sum(count for _, count in told["bins"]) == told["n"] == 2000
    assert told["p999"] >= told["p99"] >= told["median"]


def test_what_is_out_of_range_is_counted() -> None:
    histogram = Histogram()
    assert (histogram.percentile(50), histogram.max(), histogram.mean()) == (0, 0, 0)
    for value in (-1.0, 0.0, 1e9):
        histogram.add(value)
    assert (histogram.n, histogram.max(), histogram.percentile(50)) == (3, 1e9, 1e-3)
    copied = histogram.copy()
    histogram.add(5.0)
    assert (copied.n, histogram.n) == (3, 4)
