"""Pictures resized by matrices are those that torch's filter makes."""

import pytest
import torch
from torch.nn.functional import interpolate

from steadyhand.nets.resampling import resampled


@pytest.mark.parametrize(
    ("source", "target"), [((60, 80), (24, 32)), ((24, 24), (56, 56)), ((97, 33), (13, 64))]
)
def test_pictures_are_resampled_as_torch_does_it(source, target) -> None:
    pictures = torch.randn(2, 3, *source, generator=torch.Generator().manual_seed(0))
    wanted = interpolate(pictures, list(target), mode="bilinear", antialias=True)
    assert float((resampled(pictures, *target) - wanted).abs().max()) < 1e-5
