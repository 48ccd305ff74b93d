"""What a step of training does, looked at from inside: gradients, moments, decay, rate and noise.

And what the validation loss is of.
"""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from steadyhand.data import Episodes
from steadyhand.diffusion.sampling import SamplerConfig
from steadyhand.nets.choices import MLPConfig, UNetConfig
from steadyhand.recipes.methods import METHODS
from steadyhand.training.material import Material
from steadyhand.training.train import build_policy
from steadyhand.training.trainer import Trainer


@pytest.fixture
def trainer(config, episodes) -> Trainer:
    return Trainer(build_policy(config, episodes), episodes, config)


def norm(trainer: Trainer) -> float:
    """Of the gradient that the last step used."""
    parts = [p.grad.norm() for p in trainer.policy.parameters() if p.grad is not None]
    return float(torch.stack(parts).norm())


@pytest.mark.parametrize("fused", [True, False])
def test_the_gradient_is_clipped(config, episodes, fused) -> None:
    policy = build_policy(config, episodes)
    free = Trainer(policy, episodes, replace(config, clip_norm=1e9))
    free.step(0)
    bound = norm(free) / 7
    tight = Trainer(policy, episodes, replace(config, clip_norm=bound))
    tight.optimiser.defaults["fused"] = fused  # not every device has such an optimiser
    tight.step(0)
    assert norm(tight) == pytest.approx(bound, rel=1e-3)
    # What AdamW learned of it is what was clipped.
    for parameter in tight.policy.parameters():
        if parameter.grad is not None:
            moments = tight.optimiser.state[parameter]
            torch.testing.assert_close(moments["exp_avg"], 0.05 * parameter.grad)


def test_each_moment_has_its_own_decay(config, episodes) -> None:
    config = replace(config, betas=(0.75, 0.9))
    trainer = Trainer(build_policy(config, episodes), episodes, config)
    trainer.step(0)
    for parameter in trainer.policy.parameters():
        if parameter.grad is not None:
            moments = trainer.optimiser.state[parameter]
            torch.testing.assert_close(moments["exp_avg"], 0.25 * parameter.grad)
            torch.testing.assert_close(moments["exp_avg_sq"], 0.1 * parameter.grad.square())


@pytest.mark.parametrize("method", ["flow", "bins"])
def test_weight_decay_is_for_matrices(config, episodes, method) -> None:
    network = UNetConfig(widths=(16, 32), step_width=16)
    parts = replace(
        config.policy, denoiser=network, process=METHODS[method], sampler=SamplerConfig()
    )
    config = replace(config, policy=parts, weight_decay=0.5)
    trainer = Trainer(build_policy(config, episodes), episodes, config)
    before = {name: p.detach().clone() for name, p in trainer.policy.named_parameters()}
    for parameter in trainer.policy.parameters():
        parameter.grad = torch.zeros_like(parameter)
    trainer.optimiser.step()
    embeddings = {
        f"{name}.weight"
        for name, module in trainer.policy.named_modules()
        if isinstance(module, torch.nn.Embedding)
    }
    assert bool(embeddings) == (method == "bins")
    in_groups = [p for group in trainer.optimiser.param_groups for p in group["params"]]
    assert {*in_groups} == {*trainer.policy.parameters()}
    kept = 1 - 0.5 * config.learning_rate
    for name, parameter in trainer.policy.named_parameters():
        decayed = parameter.ndim >= 2 and name not in embeddings
        torch.testing.assert_close(parameter.detach(), before[name] * (kept if decayed else 1))


def test_the_learning_rate_is_that_of_the_step(config, episodes) -> None:
    config = replace(config, steps=100, warmup_steps=10)
    trainer = Trainer(build_policy(config, episodes), episodes, config)
    for number, share in ((0, 1 / 11), (9, 10 / 11), (10, 1.0), (55, 0.5)):
        trainer.step(number)
        rates = [group["lr"] for group in trainer.optimiser.param_groups]
        assert rates == pytest.approx([share * config.learning_rate] * 2)
    short = replace(config, steps=40, warmup_steps=500)
    assert short.learning_rate_at(3) < short.learning_rate_at(4) == config.learning_rate


def drawn(trainer: Trainer, number: int) -> tuple[torch.Tensor, np.ndarray]:
    """The noise and the uniform numbers that a step handed to the loss."""
    kept = []
    trainer.policy.sampler.loss = lambda x0, eps, uniform, condition, *rest: (  # type: ignore[method-assign]
        kept.append((eps.clone(), uniform)) or condition.sum() * 0 + trainer_sum(trainer)
    )
    trainer.step(number)
    return kept[0]


def trainer_sum(trainer: Trainer) -> torch.Tensor:
    return sum((p.sum() for p in trainer.policy.parameters()), torch.zeros(()))


def test_times_are_anywhere_in_their_stratum(trainer) -> None:
    parts, places = [], []
    for number in range(40):
        _, uniform = drawn(trainer, number)
        assert sorted((uniform * len(uniform)).astype(int)) == list(range(len(uniform)))
        parts.append(uniform * len(uniform) % 1)
        places.append(uniform[0])
    inside = np.concatenate(parts)
    assert np.quantile(inside, [0.1, 0.5, 0.9]) == pytest.approx([0.1, 0.5, 0.9], abs=0.05)
    assert np.std(places) > 0.2, "which window has which stratum is by chance too"


def test_each_step_has_noise_of_its_own(trainer) -> None:
    (first, times), (second, others) = drawn(trainer, 0), drawn(trainer, 1)
    again, same = drawn(trainer, 0)
    assert torch.equal(first, again)
    assert np.array_equal(times, same)
    assert not torch.allclose(first, second)
    assert not np.allclose(times, others)
    assert abs(float(first.mean())) < 0.2
    assert float(first.std()) == pytest.approx(1, abs=0.15)


def test_each_seed_has_noise_of_its_own(config, episodes) -> None:
    policy = build_policy(config, episodes)
    seeds = [Trainer(policy, episodes, replace(config, seed=seed)) for seed in (0, 1)]
    (first, times), (second, others) = (drawn(trainer, 5) for trainer in seeds)
    assert not torch.allclose(first, second)
    assert not np.allclose(times, others)


def test_several_noises_of_each_window(config, episodes) -> None:
    config = replace(config, noises=3)
    trainer = Trainer(build_policy(config, episodes), episodes, config)
    kept, encoded = [], []
    trainer.policy.encoder.register_forward_hook(lambda _, __, seen: encoded.append(len(seen)))
    honest = trainer.policy.sampler.loss
    trainer.policy.sampler.loss = lambda *given: kept.append(given) or honest(*given)  # type: ignore[method-assign]
    trainer.step(0)
    x0, eps, uniform, condition, weight = kept[0]
    assert encoded == [16], "what is seen is encoded once"
    assert len(eps) == len(uniform) == 48
    for part in (x0, condition, weight):
        assert torch.equal(part[:16], part[16:32])
        assert torch.equal(part[:16], part[32:])
    assert not torch.allclose(eps[:16], eps[16:32])


def test_what_is_for_training_only_is_on_in_steps_alone(config, episodes) -> None:
    parts = replace(config.policy, denoiser=MLPConfig(width=16, blocks=1, dropout=0.5))
    config = replace(config, policy=parts)
    trainer = Trainer(build_policy(config, episodes), episodes, config)
    seen = []
    for policy in (trainer.policy, trainer.average.module):
        for module in policy.modules():
            if isinstance(module, torch.nn.Dropout):
                module.register_forward_hook(
                    lambda _, given, found: seen.append(not torch.equal(given[0], found))
                )
    trainer.step(0)
    assert seen == [True]
    trainer.validation_loss()
    trainer.step(1)
    assert seen[0] is seen[-1] is True
    assert len(seen) > 2
    assert not any(seen[1:-1])


def changed(episodes: Episodes, numbers) -> Episodes:
    """The same with the actions of some episodes turned round in time: their numbers as before."""
    action = episodes.read("action").copy()
    for number in numbers:
        rows = slice(episodes.starts[number], episodes.ends[number])
        action[rows] = action[rows][::-1]
    arrays = {key: episodes.read(key) for key in episodes.arrays}
    return Episodes({**arrays, "action": action}, episodes.ends, rate_hz=episodes.rate_hz)


def test_validation_is_on_the_held_out_windows(config, episodes) -> None:
    policy = build_policy(config, episodes)
    training, held_out = Material.of(config, episodes).places

    def loss(numbers) -> float | None:
        return Trainer(policy, changed(episodes, numbers), config).validation_loss()

    assert loss([]) == loss(training)
    assert loss([]) != loss(held_out)
    none = replace(config, validation_share=0.0)
    assert Trainer(policy, episodes, none).validation_loss() is None


def test_validation_is_of_the_averaged_weights(trainer) -> None:
    for number in range(3):
        trainer.step(number)
    before = trainer.validation_loss()
    with torch.no_grad():
        for parameter in trainer.policy.parameters():
            parameter.add_(1)
    assert trainer.validation_loss() == before
    with torch.no_grad():
        for parameter in trainer.average.module.parameters():
            parameter.add_(1)
    assert trainer.validation_loss() != before


def test_validation_counts_every_window_once(config, episodes) -> None:
    """Also where the last batch is smaller: the loss of each window counts the same."""
    trainer = Trainer(build_policy(config, episodes), episodes, config)
    sizes = []
    trainer.average.module.sampler.loss = lambda x0, *_: (  # type: ignore[method-assign]
        sizes.append(len(x0)) or torch.tensor(float(len(sizes)))
    )
    found = trainer.validation_loss()
    assert len(set(sizes)) == 2
    assert sum(sizes) == len(trainer.validation)
    assert found == pytest.approx(np.average(np.arange(1, len(sizes) + 1), weights=sizes))


def test_validation_draws_noise_for_each_batch_and_the_same_each_time(config, episodes) -> None:
    config = replace(config, batch_size=4)
    trainer, kept = Trainer(build_policy(config, episodes), episodes, config), []
    trainer.average.module.sampler.loss = lambda x0, eps, *_: (  # type: ignore[method-assign]
        kept.append(eps) or torch.zeros(())
    )
    trainer.validation_loss()
    count = len(kept)
    assert len(kept[0]) == len(kept[1]) == 4
    assert not torch.allclose(kept[0], kept[1])
    trainer.validation_loss()
    assert all(torch.equal(a, b) for a, b in zip(kept[:count], kept[count:], strict=True))


def test_of_many_held_out_windows_some_are_taken_evenly(config, episodes, monkeypatch) -> None:
    config, taken = replace(config, batch_size=4), []
    trainer = Trainer(build_policy(config, episodes), episodes, config)
    monkeypatch.setattr("steadyhand.training.trainer.VALIDATION_WINDOWS", 10)
    seen = trainer.validation.observation
    trainer.validation.observation = lambda steps, *_: (  # type: ignore[method-assign]
        taken.append(steps) or seen(steps)
    )
    trainer.validation_loss()
    assert [len(part) for part in taken] == [4, 4, 2]
    windows = np.concatenate(taken)
    assert (windows[0], windows[-1]) == (0, len(trainer.validation) - 1)
    assert np.ptp(np.diff(windows)) <= 1


COMPILED = """
from dataclasses import replace

import torch

import steadyhand as sh
from steadyhand.training.trainer import Trainer

torch.set_num_threads(1)
episodes = sh.record_episodes("fork", 8)
config = replace(sh.recipe("fork"), precision="float32", device="cpu", batch_size=16)
policy = sh.build_policy(config, episodes)
plain, compiled = torch.nn.Module.compile, []


def eagerly(module):  # all but the compiler of C++, which takes most of a minute
    compiled.append(module)
    plain(module, backend="aot_eager")


torch.nn.Module.compile = eagerly
slow, fast = (Trainer(policy, episodes, replace(config, compile=c)) for c in (False, True))
print(compiled == [fast.policy.encoder, fast.policy.sampler.denoiser])
pairs = [(float(slow.step(n)), float(fast.step(n))) for n in range(3)]
print(all(abs(a - b) < 1e-5 * a for a, b in pairs))
print(slow.policy.state_dict().keys() == fast.policy.state_dict().keys())

torch.nn.Module.compile = plain
import torch._inductor.config

torch._inductor.config.cpp.cxx = (None, "/nowhere/g++")
torch._dynamo.reset()
try:
    Trainer(policy, episodes, replace(config, compile=True)).step(0)
except sh.SteadyhandError as error:
    print("Go on without compile" in str(error))
"""


@pytest.mark.slow
def test_compiled_networks_learn_the_same() -> None:
    """In its own process: checking shapes at run time cannot be compiled."""
    done = subprocess.run([sys.executable, "-c", COMPILED], capture_output=True, text=True)
    assert done.stdout == 4 * "True\n", done.stderr[-3000:]
