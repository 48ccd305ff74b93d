"""Figures and their intervals; rollouts that do not depend on what runs beside them."""

import json
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from steadyhand.errors import ConfigurationError
from steadyhand.evaluation import metrics
from steadyhand.evaluation.compare import compare
from steadyhand.evaluation.episodes_file import EpisodesFile
from steadyhand.evaluation.evaluate import Evaluation, evaluate
from steadyhand.evaluation.rollout import noise_seed, rollout
from steadyhand.evaluation.smoothness import Smoothness
from steadyhand.evaluation.video import write_video
from steadyhand.policy.device import on_threads
from steadyhand.policy.predictor import SMALLER, TorchPredictor, evaluation_batch
from steadyhand.recipes import recipe
from steadyhand.spec import Chunking, PolicySpec
from steadyhand.tasks import PushT
from steadyhand.training.train import build_policy


def test_wilson_interval() -> None:
    # Newcombe (1998), Table I, method 3; at the ends the bound is n / (n + z²) or 1 minus it.
    for successes, n, low, high in [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (29, 29, 29 / (29 + 1.96**2), 1.0),
    ]:
        found = metrics.rate([True] * successes + [False] * (n - successes))
        assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)
        assert found.mean == successes / n


def test_of_many_episodes_it_has_the_width_of_the_normal_interval() -> None:
    values = np.random.default_rng(0).normal(3, 2, 400)
    found = metrics.mean(values.tolist())
    half = 1.966 * values.std(ddof=1) / 20
    assert found.mean == pytest.approx(values.mean())
    assert found.high - found.low == pytest.approx(2 * half, rel=0.001)


def test_paired_difference_sees_what_is_paired() -> None:
    random = np.random.default_rng(0)
    easy = random.uniform(0, 1, 50)
    better = easy + random.normal(0.02, 0.02, 50)
    found = metrics.paired_difference(better.tolist(), easy.tolist())
    assert 0 < found.low < found.mean < found.high
    assert found.p < 0.01
    nothing = metrics.paired_difference([1.0, 0.0, 1.0], [1.0, 0.0, 1.0])
    assert (nothing.mean, nothing.p) == (0, 1)
    # With 5 pairs, all in favour, by the score test: t is √5 with 4 degrees of freedom.
    few = metrics.paired_difference([1.0] * 5, [0.0] * 5)
    assert few.p == pytest.approx(0.0890, abs=1e-4)


@dataclass(frozen=True)
class Counting:
    """A task with nothing but time: the observation is the tick, the score what was done."""

    name: str = "counting"
    rate_hz: float = 10.0
    max_steps: int = 23
    first_seed: int = 7
    initial_states: str = "the seed"

    def make(self) -> "CountingWorld":
        return CountingWorld()


class CountingWorld:
    def reset(self, seed):
        self.seed, self.tick, self.right = seed, 0, 0
        return {"time": np.array([0])}

    def step(self, action):
        self.right += int(action[0] == self.tick)
        self.tick += 1
        return {"time": np.array([self.tick])}, self.tick == 10 + self.seed % 20

    def scores(self):
        return {"success": self.right == self.tick, "share": self.right / self.tick}

    def state(self):
        return [float(self.seed)]

    def render(self):
        return np.full((4, 4, 3), self.tick, dtype=np.uint8)


@dataclass
class Clock:
    spec: PolicySpec
    batches: list[int]

    def predict(self, requests):
        self.batches.append(len(requests))
        now = np.stack([request.observation["time"][-1] for request in requests])
        return (now[:, None] + self.spec.chunking.action_offsets[None, :, None]).astype(np.float32)


@pytest.mark.parametrize("past_rows", [0, 1])
def test_rollouts_pass_the_clock_test(past_rows) -> None:
    chunking = Chunking(horizon=8, execute=3, past_rows=past_rows)
    recorded = {"time": (1,), "action": (1,)}
    spec = PolicySpec.select(recorded, observations=["time"], chunking=chunking)
    clock = Clock(spec, [])
    watched: list[int] = []
    done = rollout(
        clock,
        Counting(),
        [5, 2, 19, 8],
        parallel=3,
        film=[2],
        watch=lambda episode: watched.append(episode.seed),
    ).episodes
    assert [episode.seed for episode in done] == [5, 2, 19, 8]
    assert sorted(watched) == [2, 5, 8, 19]
    assert all(episode.scores["success"] for episode in done)
    assert [len(episode.actions) for episode in done] == [15, 12, 23, 18], (
        "its own end, or max_steps"
    )
    assert done[0].boundaries == (3, 6, 9, 12)
    assert len(done[1].frames) == 13
    assert not done[0].frames
    assert max(clock.batches) == 3


def test_an_initial_state_is_played_again_with_other_noise() -> None:
    spec = PolicySpec.select({"time": (1,), "action": (1,)}, observations=["time"])

    class Noisy(Clock):
        """Right in every other noise."""

        def predict(self, requests):
            asked.extend((request.seed, request.number) for request in requests)
            wrong = np.array([request.seed % 2 for request in requests])
            return super().predict(requests) + wrong[:, None, None].astype(np.float32)

    asked: list[tuple[int, int]] = []
    once = rollout(Noisy(spec, []), Counting(), [5, 2]).episodes
    ordinary, _ = set(asked), asked.clear()
    done = rollout(Noisy(spec, []), Counting(), [5, 2], repeats=3, parallel=4, film=[2])
    done = done.episodes
    assert [(e.seed, e.repeat) for e in done] == [(s, r) for s in (5, 2) for r in range(3)]
    assert ordinary < set(asked)
    assert len({seed for seed, _ in asked}) == 6
    assert all(2**62 <= seed < 2**63 for seed, _ in set(asked) - ordinary)
    for first, again in zip(once, done[::3], strict=True):
        np.testing.assert_array_equal(first.actions, again.actions)
    assert [e.initial_state[0] for e in done] == [5, 5, 5, 2, 2, 2]
    assert [bool(e.frames) for e in done] == [False] * 3 + [True, False, False]
    assert [e.requests for e in done] == [2, 2, 2, 2, 2, 2]
    assert noise_seed(2**63 - 1, 1) != noise_seed(2**63 - 1, 2)

    found = evaluate(Noisy(spec, []), Counting(), episodes=6, repeats=4)
    states = [
        np.mean([e.scores["success"] for e in found.episodes[i : i + 4]]) for i in range(0, 24, 4)
    ]
    assert any(0 < state < 1 for state in states)
    assert found.by_state("success") == states
    assert found.success == metrics.mean(states, share=True)
    assert found.success.n == 6, "an initial state counts once"
    assert compare({"a": found, "b": found})["a", "b", "success"].n == 6
    with pytest.raises(ConfigurationError, match="repeats is 0; it must be at least 1"):
        evaluate(Clock(spec, []), Counting(), repeats=0)


def test_evaluate_takes_any_task_and_any_predictor() -> None:
    spec = PolicySpec.select(
        {"time": (1,), "action": (1,)}, observations=["time"], chunking=Chunking(horizon=8)
    )
    found = evaluate(Clock(spec, []), Counting(), episodes=5)
    assert found.success.mean == 1
    assert found.share.n == 5
    assert [episode.seed for episode in found.episodes] == [7, 8, 9, 10, 11]
    with pytest.raises(AttributeError, match="no 'sucess'"):
        _ = found.sucess
    with pytest.raises(ConfigurationError, match="episodes is 0; it must be at least 1"):
        evaluate(Clock(spec, []), Counting(), episodes=0)


@pytest.fixture(scope="module")
def pusht_policy():
    """An untrained Push-T policy of the recipe's kind that moves about vividly."""
    from steadyhand.data import Episodes

    random = np.random.default_rng(0)
    recorded = {
        "state": random.uniform(0, 512, (50, 5)).astype(np.float32),
        "keypoint": random.uniform(0, 512, (50, 9, 2)).astype(np.float32),
        "action": random.uniform(50, 460, (50, 2)).astype(np.float32),
    }
    config = recipe("pusht_state")
    denoiser = replace(config.policy.denoiser, width=64, blocks=2)
    config = replace(config, policy=replace(config.policy, denoiser=denoiser))
    policy = build_policy(config, Episodes(recorded, np.array([25, 50])))
    torch.manual_seed(0)
    for parameter in policy.parameters():
        parameter.data.normal_(std=0.15)
    return policy


@pytest.mark.slow
def test_an_episode_does_not_depend_on_the_others(pusht_policy) -> None:
    """1, 7 and 50 environments at once, and another order: identical, contacts and all."""
    task = replace(PushT(), max_steps=60)
    seeds = list(range(100_000, 100_050))
    predictor = TorchPredictor(pusht_policy, batch=64, smaller=SMALLER)
    assert evaluation_batch(pusht_policy.spec) == 64

    def run(order, parallel):
        with on_threads(1):
            done = rollout(predictor, task, order, parallel=parallel).episodes
        return {episode.seed: episode for episode in done}

    fifty = run(seeds, 50)
    assert any(episode.scores["max_coverage"] > 0.05 for episode in fifty.values())
    shuffled = np.random.default_rng(0).permutation(seeds).tolist()
    for other in (run(seeds[:12], 1), run(seeds, 7), run(shuffled, 50), run(shuffled, 13)):
        for seed, episode in other.items():
            np.testing.assert_array_equal(episode.actions, fifty[seed].actions)
            assert episode.scores == fifty[seed].scores
            assert episode.initial_state == fifty[seed].initial_state
    first = [episode.actions[0].tolist() for episode in fifty.values()]
    assert len({tuple(action) for action in first}) == 50, "episodes do not share their noise"


def test_a_policy_is_evaluated_in_the_precision_asked_for(pusht_policy) -> None:
    task = replace(PushT(), max_steps=3)
    one, same, half = (
        evaluate(pusht_policy, task, episodes=2, precision=precision).episodes[1].actions
        for precision in ("float32", "float32", "bfloat16")
    )
    np.testing.assert_array_equal(one, same)
    assert 0 < np.abs(half - one).max() < 0.1 * np.ptp(one)
    with pytest.raises(ConfigurationError, match="no precision 'half'"):
        evaluate(pusht_policy, task, precision="half")  # type: ignore[arg-type]


def made_up(scores, seeds=range(4)) -> Evaluation:
    episodes = [
        SimpleNamespace(
            seed=seed, repeat=0, initial_state=[0.0], scores={"success": value > 0.5, "s": value}
        )
        for seed, value in zip(seeds, scores, strict=True)
    ]
    figures = {"success": metrics.rate([v > 0.5 for v in scores]), "s": metrics.mean(scores)}
    smooth = Smoothness(0, 0, 0)
    return Evaluation("t", "", figures, smooth, {}, episodes)  # type: ignore[arg-type]


def test_compare_pairs_by_initial_state() -> None:
    found = compare({"a": made_up([0.1, 0.9, 0.6, 0.7]), "b": made_up([0.0, 0.8, 0.4, 0.6])})
    assert found["a", "b", "s"].mean == pytest.approx(0.125)
    assert found["a", "b", "success"].mean == pytest.approx(0.25)
    with pytest.raises(ConfigurationError, match="not tried on the same initial states"):
        compare({"a": made_up([0.1] * 4), "b": made_up([0.1] * 4, range(1, 5))})
    with pytest.raises(ConfigurationError, match="at least two"):
        compare({"a": made_up([0.1] * 4)})


def test_results_can_be_written(tmp_path) -> None:
    spec = PolicySpec.select({"time": (1,), "action": (1,)}, observations=["time"])
    with EpisodesFile(tmp_path / "deep" / "episodes.jsonl") as file:
        found = evaluate(Clock(spec, []), Counting(), episodes=3, parallel=2, watch=file.append)
    assert not file.partial.exists()
    lines = (tmp_path / "deep" / "episodes.jsonl").read_text().splitlines()
    assert [json.loads(line)["seed"] for line in lines] == [7, 8, 9]
    assert json.loads(json.dumps(found.as_json()))["success"]["n"] == 3


def test_episodes_that_ended_before_a_stop_are_kept(tmp_path) -> None:
    spec = PolicySpec.select({"time": (1,), "action": (1,)}, observations=["time"])
    file = EpisodesFile(tmp_path / "episodes.jsonl")
    file.path.write_text("of an earlier evaluation")

    def watch(episode) -> None:
        file.append(episode)
        if episode.seed == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), file:
        evaluate(Clock(spec, []), Counting(), episodes=6, parallel=1, watch=watch)
    lines = file.partial.read_text().splitlines()
    assert [json.loads(line)["seed"] for line in lines] == [7, 8]
    assert file.path.read_text() == "of an earlier evaluation"


def test_an_evaluation_that_never_began_leaves_nothing(tmp_path) -> None:
    with pytest.raises(ZeroDivisionError), EpisodesFile(tmp_path / "new" / "episodes.jsonl"):
        _ = 1 / 0
    assert not list(tmp_path.iterdir())


def test_videos_play(tmp_path) -> None:
    import av

    frames = [np.full((65, 64, 3), 8 * i, dtype=np.uint8) for i in range(20)]
    write_video(tmp_path / "film.mp4", frames, 10)
    with av.open(str(tmp_path / "film.mp4")) as film:
        stream = film.streams.video[0]
        decoded = [frame.to_ndarray(format="rgb24") for frame in film.decode(stream)]
        assert stream.average_rate == 10
    assert len(decoded) == 20
    assert decoded[0].shape == (64, 64, 3)
    assert abs(float(decoded[10].mean()) - 80) < 6
