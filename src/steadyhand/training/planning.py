"""What a run settles before its first step: device, precision, threads, and how many steps."""

import time
from dataclasses import replace

import torch

from steadyhand.data import Episodes
from steadyhand.policy.device import choose_device, choose_precision, fastest_threads, on_threads
from steadyhand.policy.policy import Policy
from steadyhand.training.config import TrainConfig
from steadyhand.training.material import Material
from steadyhand.training.room import check_batch
from steadyhand.training.trainer import Trainer


def plan(policy: Policy, episodes: Episodes | Material, config: TrainConfig) -> TrainConfig:
    """The config with device, precision and, on the CPU, threads settled and, for `minutes`, a
    number of steps fixed.

    Measures the speed on a copy for a few seconds; `policy` is left as it was. What comes out is
    settled: planning it again changes nothing.
    """
    check_batch(policy, config)
    device = choose_device(config.device)
    threads = config.threads
    if threads is None and device.type == "cpu" and torch.get_num_threads() == 1:
        threads = 1
    precision = choose_precision(config.precision, device)
    config = replace(config, device=str(device), precision=precision, threads=threads)
    config = replace(config, policy=config.policy.settled())
    unsettled = threads is None and device.type == "cpu"
    if config.minutes is None and not unsettled:
        return config
    trainer = Trainer(policy, episodes, replace(config, steps=1000))
    if unsettled:
        config = replace(config, threads=fastest_threads(trainer.step))
    if config.minutes is None:
        return config
    with on_threads(config.threads):
        trainer.step(0)
        done, begun = 0, time.perf_counter()
        while done < 10 or time.perf_counter() - begun < min(5.0, 3 * config.minutes):
            done += 1
            float(trainer.step(done))
        pace = (time.perf_counter() - begun) / done
    # A twentieth is kept for the validation loss and the checkpoints.
    return replace(config, steps=max(1, int(0.95 * 60 * config.minutes / pace)), minutes=None)
