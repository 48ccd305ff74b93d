"""The torch predictor: chunk requests in, chunks out, always computed at one fixed batch size.

A matrix product gives other last bits at another batch size, so requests are padded to `batch`:
a chunk is then the same whether it is asked for alone or among fifty others.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError
from steadyhand.policy.policy import Policy, require_policy
from steadyhand.runtime.predictor import ChunkRequest, chunk_noise
from steadyhand.spec import PolicySpec
from steadyhand.values import named, shown, whole

EVALUATION_BATCH = 64
"""Every network answers each row of so many alike; of 50, the last rows have other last bits."""


@named
class TorchPredictor:
    """Answers requests with a policy. The noise of a chunk depends on its request alone.

    `batch` is 1 on a robot, larger where many environments are stepped together. A request's
    `previous` is not handed on: no sampler here continues the last chunk yet.
    """

    def __init__(self, policy: Policy, *, batch: int = 1) -> None:
        require_policy("A predictor", policy)
        self.batch = whole("batch", batch)
        self.policy = policy.eval()
        self._device = next(
            (tensor.device for tensor in (*policy.parameters(), *policy.buffers())),
            torch.device("cpu"),
        )
        # Samplers that add noise in each step say so; a user's own need not have either attribute.
        stochastic: bool = getattr(policy.sampler, "stochastic", False)
        steps: int = getattr(policy.sampler, "steps", 0)
        self._noise_rows = 1 + steps * stochastic
        self._exact: dict[str, bool] = {}
        """Whether what was recorded under a key is handed on in float64, where it is."""
        for feature in self.spec.observations:
            far = policy.normaliser.far(feature.name)
            self._exact[feature.key] = far or self._exact.get(feature.key, False)

    @property
    def spec(self) -> PolicySpec:
        return self.policy.spec

    def predict(self, requests: Sequence[ChunkRequest]) -> NDArray[np.floating]:
        """Chunks (requests, horizon, action_size) in robot units, as exact as they were recorded.

        They are float32, or float64 where the robot's numbers lie far from zero for their range.
        """
        listed = isinstance(requests, Sequence)
        if not listed or not all(isinstance(request, ChunkRequest) for request in requests):
            raise ConfigurationError(
                f"A predictor answers a list of requests, not {shown(requests)}: "
                "predict([controller.request(observation)])."
            )
        parts = [self._predict(part) for part in _portions(requests, self.batch)]
        return np.concatenate(parts) if parts else np.zeros((0, *self.spec.chunk_shape), np.float32)

    @torch.inference_mode()
    def _predict(self, requests: Sequence[ChunkRequest]) -> NDArray[np.floating]:
        padded = [*requests, *[requests[-1]] * (self.batch - len(requests))]
        for request in requests:
            self.spec.check_observation(request.observation, lead=1)
        observation = {
            key: _tensor(np.stack([r.observation[key] for r in padded]), exact).to(self._device)
            for key, exact in self._exact.items()
        }
        shape = (self._noise_rows, *self.spec.chunk_shape)
        noise = torch.from_numpy(
            np.stack([chunk_noise(request.seed, request.number, shape) for request in padded])
        ).to(self._device)
        step_noise = noise[:, 1:] if self._noise_rows > 1 else None
        actions = self.policy(observation, noise[:, 0], step_noise)
        return actions[: len(requests)].cpu().numpy()


def _tensor(values: NDArray[np.generic], exact: bool) -> torch.Tensor:
    # float64 becomes float32 here rather than on the device: MPS has no float64.
    if not exact and values.dtype == np.float64:
        values = values.astype(np.float32)
    return torch.from_numpy(values)


def _portions(requests: Sequence[ChunkRequest], size: int) -> Iterator[Sequence[ChunkRequest]]:
    for start in range(0, len(requests), size):
        yield requests[start : start + size]
