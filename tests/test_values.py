"""First mistakes in Python: each is answered in words that name what was given and what may be."""

import typing
from collections.abc import Callable
from dataclasses import is_dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

import steadyhand as sh
from steadyhand.data import split_episodes, write_episodes
from steadyhand.errors import ConfigurationError, SteadyhandError
from steadyhand.nets.choices import TransformerConfig
from steadyhand.runtime import ChunkRequest, RecedingHorizon, run_loop
from steadyhand.sizes import check_array
from steadyhand.spec import Feature
from steadyhand.tasks import Fork, PushT
from steadyhand.values import LARGEST, positive, shown, whole

RECORDED = {"state": (3,), "action": (2,)}
DIGITS = 10**5000

MISTAKES: list[tuple[Callable[[], object], str]] = [
    # A field that is not there: the nearest one is named.
    (lambda: sh.TrainConfig(stepz=3), "no field of TrainConfig: 'stepz'. Did you mean 'steps'"),
    (lambda: replace(sh.TrainConfig(), stepz=3), "no field of TrainConfig: 'stepz'. Did you"),
    (lambda: sh.Regression(steps=3), "no field of Regression: 'steps'. Available: none"),
    (lambda: sh.recipe("fork", stepz=1), "no argument of recipe: 'stepz'. Available: method, name"),
    (lambda: sh.evaluate(None, "fork", episode=3), "'episode'. Did you mean 'episodes'"),
    (lambda: sh.PolicySpec.select(RECORDED, observation=["a"]), "Did you mean 'observations'"),
    (lambda: sh.Sampler(torch.nn.Identity(), sh.Flow(), step=3), "Did you mean 'steps'"),
    (lambda: sh.TorchPredictor(None, bach=1), "Did you mean 'batch'"),
    # Without a name, twice, or not at all.
    (lambda: sh.Flow(10), r"Flow was given 10 without a name: Flow(time_sampling=…, prediction=…"),
    (lambda: sh.Chunking(2, 16), r"given 2 without a name: Chunking(obs_steps=…, horizon=…"),
    (lambda: sh.evaluate(None, "fork", 3), r"given 3 without a name: evaluate(episodes=…"),
    (lambda: sh.recipe("fork", name="fork"), "was given name twice"),
    (lambda: sh.evaluate("run"), "evaluate was not given task."),
    (lambda: sh.PolicySpec(), "PolicySpec was not given observations, action."),
    (lambda: sh.Policy(), "Policy was not given spec, encoder, sampler, normaliser."),
    (lambda: RecedingHorizon(), "RecedingHorizon was not given spec."),
    # A dict, a class or a name where a configuration belongs.
    (lambda: sh.TrainConfig(chunking={"horizon": 8}), "Write Chunking(horizon=8)."),
    (lambda: sh.TrainConfig(policy={}), "policy is {}; it must be PolicyConfig. Write PolicyConf"),
    (lambda: sh.PolicyConfig(process=sh.Flow), "Write Flow()."),
    (lambda: sh.PolicyConfig(sampler="ddim"), "sampler is 'ddim'; it must be SamplerConfig."),
    (lambda: sh.PolicyConfig(denoiser=None), "it must be MLPConfig or UNetConfig or"),
    (
        lambda: sh.PolicySpec.select(RECORDED, observations=["state"], chunking={"execute": 2}),
        "Write Chunking(execute=2).",
    ),
    # A text where names belong, and other kinds.
    (lambda: sh.TrainConfig(observations="state"), "text 'state'; give a tuple of names, as ('s"),
    (lambda: sh.PolicySpec.select(RECORDED, observations="state"), "give a tuple of names"),
    (lambda: sh.PolicySpec.select(RECORDED, observations=[3]), "name is 3; it must be a text"),
    (lambda: sh.PolicySpec.select({"a": 3}, observations=["a"]), "The shape of 'a' is 3; it must"),
    (lambda: sh.TrainConfig(image_size=96), "image_size is 96; it must be a tuple of whole num"),
    (lambda: sh.DDPM(train_steps="9"), "train_steps is '9'; it must be a whole number"),
    (lambda: sh.TrainConfig(betas=(0.9,)), "betas is (0.9,); it must be a tuple of 2 numbers"),
    (lambda: sh.TrainConfig(steps="3"), "steps is '3'; it must be a whole number"),
    (lambda: sh.TrainConfig(steps=1.5), "steps is 1.5; it must be a whole number"),
    (lambda: sh.TrainConfig(steps=True), "steps is True; it must be a whole number"),
    (lambda: sh.TrainConfig(mask_padding=1), "mask_padding is 1; it must be True or False"),
    (lambda: sh.TrainConfig(data=3), "data is 3; it must be a path or None"),
    (lambda: sh.TrainConfig(precision="flaot32"), "Did you mean 'float32'"),
    (lambda: sh.PolicyConfig(normalisation="minmax"), "Did you mean 'min_max'"),
    (lambda: sh.recipe("fork", method=3), "method is 3; it must be a text or None"),
    (lambda: sh.Episodes([1], np.array([3])), "arrays is [1]; it maps names to arrays"),
    (lambda: sh.Episodes({"a": [1]}, np.array([1])), "'a' is a list; numpy arrays are taken here"),
    # What is called, and what is returned.
    (lambda: sh.evaluate(None, "fork", watch=True), "watch is True; it must be something to call"),
    (lambda: sh.evaluate(None, "fork", controller=3), "controller is 3; it must be something to"),
    (lambda: sh.evaluate(None, "fork", film=3), "film is 3; it must be whole numbers, as (3,)."),
    (lambda: sh.evaluate(None, "fork", film="3"), "film is '3'; it must be whole numbers"),
    (lambda: sh.load_policy("x", parts=3), "parts is 3; it must be something to call, a function"),
    (lambda: run_loop(None, None, None, ticks=1, stop=True), "stop is True; it must be something"),
    (
        lambda: sh.train(None, None, sh.TrainConfig(), score=5),
        "score is 5; it must be something to",
    ),
    (lambda: sh.load_policy("x", device="gpu"), "There is no device 'gpu'. Did you mean 'cpu'"),
    (lambda: sh.load_policy("x", device=torch.device("cuda:99")), "Device 'cuda:99' is not availa"),
    # Paths, policies and tasks.
    (lambda: sh.open_episodes(3), "path is 3; it must be a text or a path"),
    (lambda: sh.open_episodes(None), "path is None; it must be a text or a path"),
    (lambda: sh.load_policy(None), "folder is None; it must be a text or a path"),
    (lambda: write_episodes(None, None), "path is None; it must be"),
    (lambda: sh.save_policy("x", 3), "needs a policy, not a int: load_policy"),
    (lambda: sh.export_policy("run"), "An export needs a policy, not a str: load_policy"),
    (lambda: sh.TorchPredictor("run"), "A predictor needs a policy, not a str: load_policy"),
    (lambda: sh.compare({"a": 1, "b": 2}), "Name what is compared"),
    (lambda: sh.record_episodes("frok", 1), "There is no task 'frok'. Did you mean 'fork'"),
    (lambda: sh.record_episodes(None, 1), "The task is NoneType, not an object with name, rate_hz"),
    # Numbers out of all bounds.
    (lambda: sh.record_episodes("fork", -1), "episodes is -1; it must be at least 1"),
    (lambda: sh.record_episodes("fork", "3"), "episodes is '3'; it must be a whole number"),
    (lambda: sh.record_episodes("fork", 10**12), "episodes is 1000000000000; it must be at most"),
    (lambda: sh.TrainConfig(seed=2**80), "seed is 1208925819614629174706176; it must be below 2"),
    (
        lambda: sh.TrainConfig(steps=DIGITS),
        "steps is a number of some 5000 digits; it must be below",
    ),
    (lambda: sh.TrainConfig(learning_rate=float("nan")), "learning_rate is nan; it must be finite"),
    (lambda: sh.TrainConfig(minutes=float("inf")), "minutes is inf; it must be finite"),
    (lambda: sh.TrainConfig(betas=(0.9, 1)), "betas is 1.0; it must be in [0, 1), as 0.05."),
    (lambda: sh.TrainConfig(threads=1025), "threads is 1025; it must be at most 1024."),
    (lambda: TransformerConfig(width=7), "width is 7; it must be even, and at least 4."),
    (lambda: sh.SamplerConfig(clip=0), "clip is 0.0; it must be above 0 and at most 1e+06, 'reco"),
    (lambda: split_episodes(9, validation_share=0.1, seed=2**80), "seeds are whole numbers, 0 to"),
    (lambda: Fork().make().reset(2**80), "seeds are whole numbers, 0 to 2**63 - 1"),
    (lambda: Fork(gap=float("1e400")), "gap is inf; it must be finite"),
    (lambda: PushT(view="96"), "view is '96'; it must be a whole number"),
    (lambda: sh.record_episodes(f"fork:max_steps={'9' * 5000}", 1), "is a whole number, not '999"),
    (
        lambda: sh.record_episodes(f"fork:max_steps={'9' * 400}", 1),
        "a number of some 400 digits; it must",
    ),
    (lambda: sh.record_episodes(f"fork:gap={'9' * 400}", 1), "gap is inf; it must be finite"),
]


@pytest.mark.parametrize(("mistake", "said"), MISTAKES, ids=[said[:40] for _, said in MISTAKES])
def test_it_is_answered_in_words(mistake, said) -> None:
    with pytest.raises(SteadyhandError) as raised:
        mistake()
    assert said in str(raised.value)
    assert len(str(raised.value)) < 1600


def test_numbers_of_numpy_lists_and_texts_are_taken() -> None:
    config = sh.TrainConfig(
        steps=np.int64(3),
        learning_rate=np.float32(0.5),
        observations=["state"],
        betas=[0.5, 0.5],
        data="demos.npz",
        weight_decay=1,
    )
    assert (config.steps, config.learning_rate, config.weight_decay) == (3, 0.5, 1)
    assert type(config.steps) is int
    assert type(config.learning_rate) is float
    assert config.observations == ("state",)
    assert config.betas == (0.5, 0.5)
    assert config.data == Path("demos.npz")
    assert len(sh.record_episodes("fork", np.int64(2))) == 2
    assert Feature(name="a", shape=[np.int32(3)]).shape == (3,)


def test_the_largest_seed_is_taken(config, episodes) -> None:
    config = replace(config, seed=LARGEST, steps=2, checkpoint_every=1)
    policy = sh.build_policy(config, episodes)
    assert [step.step for step in sh.train(policy, episodes, config)] == [1, 2]
    assert len(sh.record_episodes("fork", 1, first_seed=LARGEST)) == 1
    with pytest.raises(ConfigurationError, match="The last seed is 9223372036854775808; seeds"):
        sh.record_episodes("fork", 2, first_seed=LARGEST)


@pytest.mark.parametrize("name", sh.__all__)
def test_whatever_is_public_knows_the_kinds_it_is_given(name) -> None:
    """Dataclasses and functions are looked at, and their annotations can be read."""
    public = getattr(sh, name)
    looked = public.__init__ if isinstance(public, type) else public
    if not (isinstance(public, type) and issubclass(public, Exception)):
        assert hasattr(looked, "__wrapped__"), "it is decorated with checked"
    if is_dataclass(public) or not isinstance(public, type):
        typing.get_type_hints(public)


def test_a_value_is_shown_in_one_short_line() -> None:
    assert shown("a\nb") == r"'a\nb'"
    assert shown(DIGITS) == "a number of some 5000 digits"
    assert len(shown("x" * 1000)) == 60
    assert "\n" not in shown(np.zeros((9, 9)))


def test_whole_and_positive_numbers() -> None:
    assert whole("n", np.uint8(3)) == 3
    assert positive("x", np.float32(0.5)) == 0.5
    for value in (0, -1, 1.0, True, np.True_, None, "1", LARGEST + 1):
        with pytest.raises(ConfigurationError, match=r"^n is "):
            whole("n", value)
    for value in (0, -1, True, float("nan"), float("inf"), 1j, "1", None):
        with pytest.raises(ConfigurationError, match=r"^x is .*positive and finite"):
            positive("x", value)


def test_a_predictor_is_given_requests_in_a_list(policy) -> None:
    request = ChunkRequest(observation={"state": np.zeros((2, 3), np.float32)})
    for given in (None, "state", request, [{"state": np.zeros(3)}], {"state": np.zeros(3)}):
        with pytest.raises(ConfigurationError, match="A predictor answers a list of requests, not"):
            sh.TorchPredictor(policy).predict(given)


@pytest.mark.parametrize("given", ["a", None, sh.evaluate])
def test_what_a_score_is_not(config, episodes, policy, tmp_path, given) -> None:
    config = replace(config, steps=1, checkpoint_every=1)
    steps = sh.train(policy, episodes, config, out=tmp_path / "r", score=lambda policy: given)
    with pytest.raises(ConfigurationError, match=r"score\(policy\) gave .* returns a number"):
        list(steps)


def test_what_is_written_beside_a_policy_and_what_parts_give(policy, tmp_path) -> None:
    with pytest.raises(ConfigurationError, match=r"Write Provenance\(task='fork'\)"):
        sh.save_policy(tmp_path / "a", policy, {"task": "fork"})  # type: ignore[arg-type]
    sh.save_policy(tmp_path / "a", policy)
    for given in (None, (policy.encoder,), (policy.encoder, 3)):
        with pytest.raises(ConfigurationError, match="it returns two modules"):
            sh.load_policy(tmp_path / "a", parts=lambda spec, given=given: given)


@pytest.mark.skipif(np.dtype(np.longdouble).itemsize == 8, reason="there is nothing wider here")
def test_numbers_wider_than_any_library_takes_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="of at most 8 bytes"):
        check_array("state", np.ones(2, np.longdouble))
