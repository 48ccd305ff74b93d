"""Depth at another size: the nearest pixel's metres, never a mean."""

import numpy as np
import pytest

from steadyhand.data.pictures.resize import nearest, resize_depth


@pytest.mark.parametrize(
    ("source", "target"), [(48, 24), (480, 84), (5, 3), (3, 5), (7, 7), (2, 1)]
)
def test_the_nearest_pixel_is_that_in_which_the_middle_lies(source, target) -> None:
    middles = [(i + 0.5) * source / target for i in range(target)]
    assert nearest(source, target).tolist() == [int(np.floor(middle)) for middle in middles]


def test_no_metres_are_made_up() -> None:
    metres = np.random.default_rng(0).uniform(0.2, 2.0, (3, 20, 30, 1)).astype(np.float32)
    metres[:, ::3, ::4] = 0
    small = resize_depth(metres, (7, 11))
    assert small.shape == (3, 7, 11, 1)
    assert np.isin(small, metres).all()
    assert small[1, 2, 3, 0] == metres[1, 7, 9, 0]
    assert np.array_equal(resize_depth(metres, (20, 30)), metres)
    assert np.array_equal(resize_depth(metres[0], (7, 11)), small[0])
