"""Pictures in a graph become, to the very number, what torch makes of them on a processor."""

import numpy as np
import pytest
import torch

from steadyhand.errors import ConfigurationError
from steadyhand.export.pictures import Resizing, whole_weights
from steadyhand.policy.policy import resized

SIZES = [
    ((96, 96), (84, 84)),
    ((240, 320), (84, 112)),
    ((33, 50), (33, 25)),  # one direction stays
    ((32, 20), (61, 80)),  # larger
    ((7, 9), (3, 40)),
    ((1, 1), (5, 5)),
    ((1080, 32), (9, 32)),
]


@pytest.mark.parametrize(("source", "target"), SIZES)
def test_pictures_are_resized_to_the_very_number(source, target) -> None:
    random = np.random.default_rng(0)
    for channels in (1, 3, 4):
        noise = random.integers(0, 256, (1, 2, *source, channels), dtype=np.uint8)
        for pictures in (noise, 255 * (noise > 127).astype(np.uint8)):
            seen = torch.from_numpy(pictures)
            assert torch.equal(Resizing([(source, target)])(seen, target), resized(seen, target))


def test_sums_are_whole_numbers_that_float32_holds() -> None:
    for source, target in ((640, 224), (1920, 96), (4096, 64), (5, 300)):
        weights, bits = whole_weights(source, target)
        assert int((weights % 256).sum(1).max()) * 255 < 2**24
        assert int((weights // 256).sum(1).max()) * 255 + 2**bits < 2**31
        assert np.allclose(weights.sum(1) / 2**bits, 1, atol=1e-3)


def test_too_many_pixels_to_one_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="larger --image-size"):
        Resizing([((8000, 8000), (8, 8))])
