"""Heads, MIP, shortcut and consistency models: each against what it must be on paper."""

import warnings
from dataclasses import replace
from functools import partial
from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from steadyhand.diffusion.ddpm import DDPM
from steadyhand.diffusion.flow import Flow
from steadyhand.diffusion.loss import SamplerModule
from steadyhand.diffusion.sampler import Sampler
from steadyhand.diffusion.sampling import SamplerConfig
from steadyhand.diffusion.solvers import ddim, noiseless, renoise
from steadyhand.diffusion.spacing import trailing
from steadyhand.errors import ConfigurationError
from steadyhand.methods.bins import BinsHead
from steadyhand.methods.choices import Bins, Consistency, Gaussian, Mixture, Shortcut
from steadyhand.methods.consistency import consistency_loss
from steadyhand.methods.gaussian import GaussianHead
from steadyhand.methods.mip import MIP
from steadyhand.methods.mixture import MixtureHead
from steadyhand.methods.regression import Regression
from steadyhand.methods.shortcut import JumpSampler, _Jump
from steadyhand.policy.config import Method, PolicyConfig, build_sampler

CONDITION = torch.zeros(1, 1, 1)


class Says(nn.Module):
    """A denoiser that always answers the same rows, (H, F), and remembers what it was asked."""

    def __init__(self, rows: Tensor) -> None:
        super().__init__()
        self.rows = rows
        self.asked: list[tuple[Tensor, Tensor]] = []

    def forward(self, x: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        self.asked.append((x, t))
        return self.rows.expand(len(x), -1, -1)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def conditions(count: int) -> Tensor:
    return CONDITION.expand(count, 1, 1)


class TestGaussian:
    rows = torch.tensor([[0.3, -0.2, 0.5, -1.0], [0.1, 0.0, -3.0, 2.0]])

    def distribution(self) -> Normal:
        mean, spread = self.rows.chunk(2, dim=-1)
        return Normal(mean, 0.01 + nn.functional.softplus(spread))

    def test_its_loss_is_the_likelihood_of_torch(self) -> None:
        x0 = random(5, 2, 2)
        loss = GaussianHead(Says(self.rows)).loss(x0, x0, np.zeros(5), conditions(5))
        torch.testing.assert_close(loss, -self.distribution().log_prob(x0).mean())

    def test_padded_rows_do_not_count(self) -> None:
        x0, head = random(5, 2, 2), GaussianHead(Says(self.rows))
        weight = torch.tensor([[1.0, 0.0]]).expand(5, 2)
        loss = head.loss(x0, x0, np.zeros(5), conditions(5), weight)
        torch.testing.assert_close(loss, -self.distribution().log_prob(x0)[:, 0].mean())

    def test_samples_have_its_moments(self) -> None:
        head = GaussianHead(Says(self.rows), clip=None)
        drawn = head(random(40_000, 2, 2), conditions(40_000))
        torch.testing.assert_close(drawn.mean(0), self.distribution().mean, atol=0.03, rtol=0)
        torch.testing.assert_close(drawn.std(0), self.distribution().stddev, atol=0.03, rtol=0)
        cool = GaussianHead(Says(self.rows), clip=None, temperature=0.5)
        drawn = cool(random(40_000, 2, 2), conditions(40_000))
        torch.testing.assert_close(drawn.std(0), self.distribution().stddev / 2, atol=0.02, rtol=0)
        still = GaussianHead(Says(self.rows), temperature=0)(random(3, 2, 2), conditions(3))
        torch.testing.assert_close(still, self.rows[:, :2].expand(3, 2, 2))


class TestMixture:
    def head(self, **options) -> MixtureHead:
        torch.manual_seed(0)
        head = MixtureHead(Says(random(2, 15)), (2, 2), components=3, clip=None, **options)
        return head.requires_grad_(False)

    def distribution(self, head: MixtureHead) -> MixtureSameFamily:
        rows = head.denoiser.rows
        votes, numbers = rows[:, :3].mean(0), rows[:, 3:].reshape(2, 3, 2, 2)
        means = head.centres + numbers[:, :, 0].transpose(0, 1)
        deviations = 0.01 + nn.functional.softplus(numbers[:, :, 1].transpose(0, 1))
        return MixtureSameFamily(
            Categorical(logits=votes), Independent(Normal(means, deviations), 2)
        )

    def test_its_loss_is_the_likelihood_of_torch(self) -> None:
        head, x0 = self.head(), random(5, 2, 2)
        loss = head.loss(x0, x0, np.zeros(5), conditions(5))
        torch.testing.assert_close(loss, -self.distribution(head).log_prob(x0).mean() / 4)

    def test_one_draw_decides_for_the_whole_chunk(self) -> None:
        head = self.head(temperature=0)
        drawn = head(random(20_000, 2, 2), conditions(20_000), random(20_000, 1, 2, 2, seed=1))
        wanted = self.distribution(head)
        means = wanted.component_distribution.mean
        nearest = torch.cdist(drawn.flatten(1), means.flatten(1)).min(1)
        assert float(nearest.values.max()) < 1e-5, "each chunk is one component's mean, whole"
        shares = torch.bincount(nearest.indices, minlength=3) / 20_000
        torch.testing.assert_close(shares, wanted.mixture_distribution.probs, atol=0.01, rtol=0)

    def test_temperature_scales_the_deviations_and_not_the_choice(self) -> None:
        noise, choice = random(100, 2, 2), random(100, 1, 2, 2, seed=1)
        still, cool, warm = (
            self.head(temperature=t)(noise, conditions(100), choice) for t in (0, 0.5, 1)
        )
        assert not torch.allclose(still, warm)
        torch.testing.assert_close(cool, (still + warm) / 2)

    def test_it_asks_for_the_noise_that_chooses(self) -> None:
        with pytest.raises(ConfigurationError, match="pass step_noise"):
            self.head()(random(3, 2, 2), conditions(3))

    def test_components_begin_apart(self) -> None:
        centres = self.head().centres
        assert float(torch.pdist(centres.flatten(1)).min()) > 0.1


class TestBins:
    def head(self, **options) -> BinsHead:
        torch.manual_seed(0)
        head = BinsHead(Says(random(2, 8)), (2, 1), bins=6, bound=1.5, width=8, **options)
        return head.requires_grad_(False)

    def shares(self, head: BinsHead, first: int) -> tuple[Tensor, Tensor]:
        """The bins of the first number, and of the second after `first`."""
        features = head.denoiser.rows + head.places.weight
        before = [torch.zeros(8), head.before.weight[first]]
        logits = [
            head.mix(features[n] + before[n]) @ head.leave[n] + head.bias[n] for n in range(2)
        ]
        return logits[0].softmax(-1), logits[1].softmax(-1)

    def test_its_loss_is_the_cross_entropy_of_both_numbers(self) -> None:
        head = self.head()
        x0 = torch.tensor([[[-1.1], [0.4]]])  # bins 0 and 3, near their upper ends
        one, other = self.shares(head, 0)
        loss = head.loss(x0, x0, np.zeros(1), conditions(1))
        torch.testing.assert_close(loss, -(one[0].log() + other[3].log()) / 2)

    def test_what_is_beyond_the_bound_is_in_the_last_bin(self) -> None:
        head = self.head()
        far, near = (torch.full((1, 2, 1), value) for value in (9.0, 1.4))
        losses = [head.loss(x, x, np.zeros(1), conditions(1)) for x in (far, near)]
        torch.testing.assert_close(*losses)

    def test_numbers_are_drawn_one_after_the_other(self) -> None:
        head = self.head(clip=None)
        drawn = head(random(40_000, 2, 1), conditions(40_000))[..., 0]
        bins = ((drawn + 1.5) / 0.5).long().clamp(0, 5)
        for first in (0, 4):
            one, other = self.shares(head, first)
            chosen = bins[:, 0] == first
            assert float(chosen.float().mean()) == pytest.approx(float(one[first]), abs=0.01)
            found = torch.bincount(bins[chosen, 1], minlength=6) / chosen.sum()
            torch.testing.assert_close(found, other, atol=0.03, rtol=0)
        within = (drawn[:, 0] + 1.5) / 0.5 % 1
        evenly = torch.histc(within, bins=5, min=0, max=1) / len(within)
        torch.testing.assert_close(evenly, torch.full((5,), 0.2), atol=0.01, rtol=0)

    def test_at_half_the_temperature_shares_are_squared(self) -> None:
        head = self.head(temperature=0.5, clip=None)
        drawn = head(random(40_000, 2, 1), conditions(40_000))[:, 0, 0]
        found = torch.bincount(((drawn + 1.5) / 0.5).long().clamp(0, 5), minlength=6) / 40_000
        squared = self.shares(head, 0)[0] ** 2
        torch.testing.assert_close(found, squared / squared.sum(), atol=0.01, rtol=0)

    def test_at_temperature_zero_the_likeliest_is_drawn(self) -> None:
        head = self.head(temperature=0)
        drawn = head(random(50, 2, 1), conditions(50))[:, 0, 0]
        likeliest = int(self.shares(head, 0)[0].argmax())
        assert (((drawn + 1.5) / 0.5).floor() == likeliest).all()


def test_noise_that_no_step_adds_is_not_looked_at() -> None:
    sampler = Sampler(Says(torch.zeros(2, 3, 1)), Flow(), steps=5)
    noise, condition = torch.randn(2, 3, 1), torch.zeros(2, 1, 1)
    answer = sampler(noise, condition, torch.randn(2, 1, 3, 1))
    assert torch.equal(answer, sampler(noise, condition))


def test_mip_looks_twice_and_puts_no_noise_back() -> None:
    """From zeros to an answer, and from that answer, as it is, to the next (Pan et al. 2025)."""

    class Corrects(nn.Module):
        def forward(self, x: Tensor, t: Tensor, condition: Tensor) -> Tensor:
            self.times = [*getattr(self, "times", []), float(t[0])]
            return 0.4 + 0.5 * x

    network = Corrects()
    sampler = Sampler(network, MIP(), noiseless, 2)
    assert not sampler.stochastic
    answer = sampler(random(3, 4, 2), conditions(3))
    torch.testing.assert_close(answer, torch.full((3, 4, 2), 0.4 + 0.5 * 0.4))
    assert network.times == [100, pytest.approx(10)]
    seen = Says(torch.zeros(4, 2))
    x0, eps = random(4, 4, 2), random(4, 4, 2, seed=1)
    Sampler(seen, MIP(), noiseless, 2).loss(x0, eps, np.array([0, 0.4, 0.6, 0.9]), conditions(4))
    (x, _) = seen.asked[0]
    torch.testing.assert_close(x[:2], x0[:2] + 0.1 * eps[:2], msg="an action with noise on it")
    assert float(x[2:].abs().max()) == 0, "or nothing"


def test_noiseless_is_for_what_begins_at_zeros() -> None:
    assert noiseless(Regression(), trailing(Regression(), 1)).tolist() == [[0, 1, 0, 0, 0]]
    with pytest.raises(ConfigurationError, match=r"Flow begins in noise. Use 'ddim'"):
        Sampler(nn.Identity(), Flow(), noiseless, 5)
    with pytest.raises(ConfigurationError, match="there is no noise to scale"):
        Sampler(nn.Identity(), MIP(), noiseless, 2, temperature=0.5)


def test_renoise_is_ddim_with_other_noise() -> None:
    for process in (DDPM(), Flow()):
        times = trailing(process, 7)
        fresh, kept = renoise(process, times), ddim(process, times)
        np.testing.assert_array_equal(fresh[:, 1], kept[:, 1])
        np.testing.assert_array_equal(fresh[:, 4], kept[:, 3])
        assert not fresh[:, [0, 2, 3]].any()


def test_what_is_drawn_lies_within_the_clip() -> None:
    far = torch.full((3, 2), 5.0)
    noise, condition = random(9, 3, 2), conditions(9)
    torch.manual_seed(0)
    heads = [
        GaussianHead(Says(far.repeat(1, 2)), clip=0.4),
        MixtureHead(Says(far.repeat(1, 5)[:, :10]), (3, 2), components=2, clip=0.4),
        BinsHead(Says(random(3, 8)), (3, 2), bins=6, bound=1.5, width=8, clip=0.4),
        JumpSampler(Says(far), clip=0.4),
    ]
    for head in heads:
        drawn = head(noise, condition, random(9, 1, 3, 2, seed=1))
        assert float(drawn.detach().abs().max()) == pytest.approx(0.4)


class LineOfGaussians(nn.Module):
    """The exact flow of a normal distribution, and where it leads."""

    mean, deviation = 0.3, 0.5

    def spread(self, t: Tensor) -> Tensor:
        return ((1 - t) ** 2 * self.deviation**2 + t**2).sqrt()

    def along(self, x: Tensor, t: Tensor, r: Tensor) -> Tensor:
        """Where the probability flow leads from x at t by r."""
        t, r = t.view(-1, 1, 1), r.view(-1, 1, 1)
        return (1 - r) * self.mean + self.spread(r) / self.spread(t) * (x - (1 - t) * self.mean)

    def denoised(self, x: Tensor, t: Tensor) -> Tensor:
        t = t.view(-1, 1, 1)
        gain = (1 - t) * self.deviation**2 / self.spread(t) ** 2
        return self.mean + gain * (x - (1 - t) * self.mean)


class ExactJumps(LineOfGaussians):
    def forward(self, x: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        # The first octave of the features is the sine of a quarter turn times the arrival.
        t, r = t / 100, condition[:, 0, 1].double().asin() * 2 / torch.pi
        r = torch.where((t - r).abs() < 1e-6, t, r)
        end = self.along(x, t, r)
        share = (1 - r / t).view(-1, 1, 1)
        still = self.denoised(x, t)
        return torch.where(share > 1e-9, x + (end - x) / share.clamp(min=1e-9), still)


class TestShortcut:
    def test_exact_jumps_arrive_in_any_number_of_steps(self) -> None:
        exact = ExactJumps()
        noise = random(200, 3, 2).double()
        zero = torch.zeros(200, dtype=torch.float64)
        wanted = exact.along(noise, zero + 1, zero)
        for steps in (1, 2, 8):
            sampler = JumpSampler(exact, steps, clip=None)
            found = sampler(noise, conditions(200).double())
            torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)

    def test_temperature_scales_the_noise(self) -> None:
        noise, condition = random(9, 3, 2).double(), conditions(9).double()
        cool = JumpSampler(ExactJumps(), 2, clip=None, temperature=0.5)(noise, condition)
        warm = JumpSampler(ExactJumps(), 2, clip=None)
        torch.testing.assert_close(cool, warm(0.5 * noise, condition))
        assert not torch.allclose(cool, warm(noise, condition))

    def test_exact_jumps_agree_with_their_halves(self) -> None:
        """What the loss asks of a jump is what the exact network answers."""
        exact = ExactJumps()
        sampler = JumpSampler(exact, share=0.5, levels=4, clip=None)
        count = 64
        uniform = np.random.default_rng(0).permutation((np.arange(count) + 0.5) / count)
        starts, ends = sampler._draw(uniform, count // 2)
        assert set((starts - ends)[: count // 2]) == {1, 0.5, 0.25, 0.125}
        assert (starts[count // 2 :] == ends[count // 2 :]).all()
        assert ends.min() >= 0
        assert starts.max() <= 1
        x0, eps = exact.mean + exact.deviation * random(count, 1, 1), random(count, 1, 1, seed=1)
        asked: list[tuple[Tensor, Tensor, Tensor]] = []
        answer = sampler._answer

        def remember(jump):
            asked.append((jump.start, jump.end, answer(jump)))
            return asked[-1][-1]

        sampler._answer = remember  # type: ignore[method-assign]
        given = x0, eps, uniform, conditions(count)
        loss = sampler.loss(*given)
        (first, first_end, _), (second, second_end, _), (_, _, answers) = asked
        lengths = (starts - ends)[: count // 2]
        shortest = torch.from_numpy(lengths == 0.125)
        # What the network is asked for is what it learns: jumps of the lengths there are, or the
        # flow itself; never a length between the shortest and nothing.
        asked_for = set((first - first_end).tolist()) | set((second - second_end).tolist())
        assert asked_for == {0.5, 0.25, 0.125, 0}
        assert bool((first - first_end == 0)[shortest].all())
        # All but the shortest, which are two steps of Euler, agree to the last digits.
        target = sampler._through_the_middle(
            _Jump(*(part[: count // 2] for part in self.jumps(sampler, *given)), None)
        )
        off = (answers[: count // 2] - target).abs().flatten(1).amax(-1)
        assert float(off[~shortest].max()) < 1e-4
        assert 1e-4 < float(off[shortest].max()) < 0.05
        assert float(loss) > 0, "the flow's own chunks are noisy"

    def jumps(self, sampler: JumpSampler, x0, eps, uniform, condition) -> tuple[Tensor, ...]:
        """The jumps of a batch: where they begin, when, and when they arrive."""
        times = sampler._draw(uniform, len(x0) // 2)
        start, end = (torch.from_numpy(time.astype(np.float32)) for time in times)
        rows = start.view(-1, 1, 1)
        return (1 - rows) * x0 + rows * eps, start, end, condition

    def test_bad_settings_are_refused(self) -> None:
        with pytest.raises(ConfigurationError, match="share is 1"):
            Shortcut(share=1)
        with pytest.raises(ConfigurationError, match="levels is 0"):
            Shortcut(levels=0)
        with pytest.raises(ConfigurationError, match=r"1, 2, 4, 8, 16 steps for a chunk, not 3"):
            JumpSampler(nn.Identity(), 3)


class ExactTeacher(LineOfGaussians):
    def forward(self, x: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        return self.denoised(x, t / 100)


class TestConsistency:
    def test_the_ends_of_the_teachers_own_path_satisfy_it(self) -> None:
        """A student that answers where the teacher's DDIM steps lead has no loss; others have."""
        levels = 12
        process = Consistency(path_of=Flow(prediction="sample"), levels=levels)
        teacher = Sampler(ExactTeacher(), process.path_of, ddim, levels, clip=None)
        times = trailing(process.path_of, levels)

        class Student(nn.Module):
            off = 0.0

            def forward(self, x: Tensor, t: Tensor, condition: Tensor) -> Tensor:
                ends = torch.empty_like(x)
                for number, time in enumerate(times):
                    here = (t / 100 - time).abs() < 1e-6
                    y = x[here]
                    for now, after in zip(times[number:], [*times[number + 1 :], 0], strict=True):
                        at = torch.full((len(y),), now, dtype=y.dtype)
                        y = y + (1 - after / now) * (teacher.denoiser.denoised(y, at) - y)
                    ends[here] = y
                return ends + self.off * t.view(-1, 1, 1)

        student = Student()
        objective = partial(consistency_loss, levels=levels)
        path = process.path_of
        sampler = Sampler(student, path, renoise, 1, clip=None, objective=objective)
        x0, eps = 0.3 + 0.5 * random(60, 2, 1), random(60, 2, 1, seed=1)
        uniform = (np.arange(60) + 0.5) / 60
        given = (x0, eps, uniform, conditions(60))
        assert float(objective(sampler, *given, teacher=teacher)) < 1e-9
        assert float(sampler.loss(*given)) > 1e-3, "the demonstrations' own ends are others"
        student.off = 0.01
        assert float(objective(sampler, *given, teacher=teacher)) > 1e-6

    def test_no_gradient_flows_through_what_is_agreed_with(self) -> None:
        network = nn.Linear(1, 1)

        class Wrapped(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.inner = network

            def forward(self, x: Tensor, t: Tensor, condition: Tensor) -> Tensor:
                return self.inner(x)

        sampler = build_sampler(SamplerConfig(clip=None), Consistency(levels=4), Wrapped(), (2, 1))
        x0, eps = random(8, 2, 1), random(8, 2, 1, seed=1)
        # All at the last level, whose end is the demonstration itself.
        loss = sampler.loss(x0, eps, np.full(8, 0.99), conditions(8))
        x = 0.75 * x0 + 0.25 * eps
        # 0.25 is how noisy it is there: an error counts as it would in velocity.
        torch.testing.assert_close(loss, (network(x) - x0).square().mean() / 0.25**2)

    def test_an_epsilon_network_cannot_be_a_teacher(self) -> None:
        with pytest.raises(ConfigurationError, match="begins at pure noise"):
            Consistency(path_of=DDPM())


@pytest.mark.parametrize("head", [Gaussian(), Mixture(), Bins(), Shortcut()])
def test_settings_that_a_head_has_no_use_for_are_refused(head) -> None:
    with pytest.raises(ConfigurationError, match=r"has no solver.*'ddpm'"):
        PolicyConfig(process=head, sampler=SamplerConfig(solver="ddpm", steps=1))
    with pytest.raises(ConfigurationError, match="has no spacing"):
        PolicyConfig(process=head, sampler=SamplerConfig(spacing="leading", steps=1))
    if not isinstance(head, Shortcut):
        with pytest.raises(ConfigurationError, match="in one step, not 3"):
            PolicyConfig(process=head, sampler=SamplerConfig(steps=3))


def test_a_consistency_model_is_driven_by_renoise() -> None:
    with pytest.raises(ConfigurationError, match="solver 'renoise', not 'ddim'"):
        PolicyConfig(process=Consistency(), sampler=SamplerConfig(solver="ddim"))


def test_a_mask_for_a_network_that_takes_none_is_refused() -> None:
    sampler = Sampler(Says(torch.zeros(4, 2)), Flow(), ddim, 2)
    with pytest.raises(ConfigurationError, match=r"Says takes no mask.*DiTConfig"):
        sampler(random(3, 4, 2), conditions(3), mask=torch.ones(3, 1).bool())


@pytest.mark.parametrize("process", [Flow(), DDPM(prediction="v"), Regression()])
def test_actions_that_are_not_normalised_are_left_as_they_are(process) -> None:
    """On plain tensors nobody knows how large actions are: what is not said is not cut."""
    aim = torch.full((1, 4, 2), 3.0)

    class Knows(nn.Module):
        """Answers as a network would that has learned that every action is `aim`."""

        def forward(self, x, t, condition):
            t = t[:1].double().numpy() / (1 if isinstance(process, DDPM) else 100)
            (alpha, sigma), (p, q) = process.path(t), process.target(t)
            eps = (x - float(alpha[0]) * aim) / max(float(sigma[0]), 1e-9)
            return float(p[0]) * aim + float(q[0]) * eps

    steps = 1 if isinstance(process, Regression) else 5
    sampler = Sampler(Knows(), process, ddim, steps)
    assert sampler.clip is None
    torch.testing.assert_close(sampler(random(2, 4, 2), conditions(2)), aim.expand(2, 4, 2))
    bounded = Sampler(Knows(), process, ddim, steps, clip=1.0)
    assert float(bounded(random(2, 4, 2), conditions(2)).max()) == 1.0


def test_errors_that_grow_without_a_bound_are_told() -> None:
    with pytest.warns(UserWarning, match=r"20\d\d times as large.*clip=, the size of the largest"):
        Sampler(nn.Identity(), DDPM())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Sampler(nn.Identity(), DDPM(), clip=1.0)
        Sampler(nn.Identity(), DDPM(prediction="sample"))


def test_actions_beyond_all_bins_are_told() -> None:
    head = BinsHead(Says(random(2, 8)), (2, 1), bins=6, bound=1.5, width=8)
    with pytest.warns(UserWarning, match=r"50% of the actions lie beyond the bins.*±1.5"):
        head.loss(torch.tensor([[[3.0], [1.0]]]), random(1, 2, 1), np.zeros(1), conditions(1))


@pytest.mark.parametrize("method", [*get_args(Method)])
def test_a_method_is_one_value(method) -> None:
    """Whatever is said of it, it builds; what it leaves open is as the method has it."""
    config = PolicyConfig(process=method())
    settled = config.settled()
    assert settled.sampler.steps == method.sampling.steps
    assert settled.sampler.solver == method.sampling.solver
    assert settled.settled() == settled
    made = build_sampler(config.sampler, config.process, nn.Identity(), (4, 2))
    assert isinstance(made, SamplerModule)
    assert replace(config, process=Flow()).settled().sampler.solver == "euler"


def test_what_a_method_cannot_do_is_refused_before_anything_is_built() -> None:
    wrong = [
        (DDPM(), SamplerConfig(solver="euler"), "is curved"),
        (DDPM(), SamplerConfig(steps=101), "more than the 100"),
        (Flow(), SamplerConfig(spacing="leading"), "use 'trailing'"),
        (Flow(), SamplerConfig(solver="noiseless"), "begins in noise"),
        (Regression(), SamplerConfig(steps=2), "in one step, not 2"),
        (MIP(), SamplerConfig(solver="ddim"), "no finite step"),
        (MIP(), SamplerConfig(temperature=0.5), "no noise to scale"),
        (Gaussian(), SamplerConfig(eta=0.5), "has no eta"),
        (Shortcut(levels=2), SamplerConfig(steps=4), "1, 2 steps for a chunk, not 4"),
    ]
    for method, sampler, said in wrong:
        with pytest.raises(ConfigurationError, match=said):
            PolicyConfig(process=method, sampler=sampler)


@pytest.mark.parametrize("head", [Gaussian(), Mixture(), Bins(), Shortcut()])
def test_files_of_earlier_versions_name_a_solver_of_heads(head) -> None:
    old = SamplerConfig(solver="ddim", steps=1, eta=0.0, spacing="trailing")
    assert PolicyConfig(process=head, sampler=old).settled() == PolicyConfig(process=head).settled()
