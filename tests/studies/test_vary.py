"""What a sweep varies: how it is written, what it makes of a recipe, and what is refused."""

import re
from pathlib import Path
from typing import Any

import pytest

from steadyhand.diffusion.ddpm import DDPM
from steadyhand.errors import ConfigurationError, UsageError
from steadyhand.nets.choices import TransformerConfig
from steadyhand.studies.asked import Asked, method_name, network_name
from steadyhand.studies.plan import Trial
from steadyhand.studies.questions.sweep import Sweep
from steadyhand.studies.vary import Varied, combinations, configured
from steadyhand.training.config import TrainConfig

ASKED = Asked(task="fork")
USUAL, TRIAL = ASKED.config("fork"), ASKED.trial("fork")


def made(**factors: Any) -> tuple[TrainConfig, Trial]:
    return configured(ASKED, {name.replace("__", "."): v for name, v in factors.items()})


@pytest.mark.parametrize(
    ("text", "field", "values"),
    [
        ("chunking.horizon=8,16", "chunking.horizon", (8, 16)),
        ("--weight-decay=1e-6, 0.5", "weight_decay", (1e-6, 0.5)),
        ("method=flow,ddpm", "method", ("flow", "ddpm")),
        ("mask_padding=true,False", "mask_padding", (True, False)),
        ("sampler.clip=none,None_at_all,2", "sampler.clip", (None, "None_at_all", 2)),
        ("betas=[0.9,0.95],[0.8,0.9]", "betas", ([0.9, 0.95], [0.8, 0.9])),
        ("observations=[state],[state,cue]", "observations", (["state"], ["state", "cue"])),
        ("task=[fork:gap=0.1,commit=0.7],fork", "task", ("fork:gap=0.1,commit=0.7", "fork")),
        ("task=fork:gap=0.1,fork", "task", ("fork:gap=0.1", "fork")),
    ],
)
def test_what_is_varied_is_read(text, field, values) -> None:
    assert Varied.parse(text) == Varied(field, values)


@pytest.mark.parametrize("text", ["", "steps", "steps=", "=1,2", "steps=,", "--=3"])
def test_what_names_nothing_is_refused(text) -> None:
    with pytest.raises(UsageError, match="names nothing to vary"):
        Varied.parse(text)


def test_a_value_that_is_named_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="names a value twice"):
        Varied.parse("steps=4,8,4")


def test_every_value_is_tried_with_every_other() -> None:
    both = [Varied("steps", (1, 2)), Varied("method", ("flow", "ddpm"))]
    assert [tuple(row.values()) for row in combinations(both)] == [
        *((1, "flow"), (1, "ddpm"), (2, "flow"), (2, "ddpm"))
    ]


def test_fields_are_named_as_their_flags_are() -> None:
    config, trial = made(denoiser__width=32, steps=7, learning_rate=2)
    assert (config.policy.denoiser.width, config.steps, config.learning_rate) == (32, 7, 2.0)
    assert trial == TRIAL
    assert made(policy__denoiser__width=32)[0] == made(denoiser__width=32)[0]
    assert made(betas=[0.9, 0.95])[0].betas == (0.9, 0.95)
    assert made(observations=["state", "last_action"])[0].observations == ("state", "last_action")


def test_fields_are_those_of_the_method_and_network_that_are_varied() -> None:
    """Also of those that are not the usual ones."""
    config, _ = made(network="transformer", denoiser__heads=2)
    assert isinstance(config.policy.denoiser, TransformerConfig)
    assert config.policy.denoiser.heads == 2
    config, _ = made(process__train_steps=40)
    assert isinstance(config.policy.process, DDPM)
    assert config.policy.process.train_steps == 40
    with pytest.raises(ConfigurationError, match=r"no field to vary: 'process\.train_steps'"):
        made(method="flow", process__train_steps=40)


def test_method_network_task_and_recipe_go_together() -> None:
    config, trial = made(task="fork:gap=0.1", method="flow", network="dit", steps=3)
    assert (config.task, method_name(config), network_name(config), config.steps) == (
        *("fork:gap=0.1", "flow", "dit", 3),
    )
    assert trial == TRIAL
    assert made(recipe="state")[0].task == "fork"
    assert made(recipe="state")[0].steps == TrainConfig().steps


@pytest.mark.parametrize(
    "factors",
    [
        {"execute": 3},
        {"repeats": 4},
        {"perturb_history": 0.5},
        {"controller": "blend"},
        {"delay": 2, "controller": "blend"},
        {"solver": "dpmpp_2m"},
        {"temperature": 0.5},
        {"eta": 1.0},
        {"sampler.steps": 3},
        {"sampler.clip": None},
        {"policy.sampler.steps": 3},
        {"sampler.solver": "ddpm", "sampler.steps": 100, "execute": 16},
    ],
    ids=str,
)
def test_what_only_evaluation_differs_by_is_trained_once(factors) -> None:
    config, trial = configured(ASKED, factors)
    assert config == USUAL
    assert trial != TRIAL
    for name, value in factors.items():
        if name in ("controller", "delay"):
            assert getattr(trial.acting, name) == value
            continue
        there = trial if hasattr(trial, name) and "sampler" not in name else trial.sampler
        assert getattr(there, name.rpartition(".")[2]) == value


def test_a_sampler_that_is_varied_is_else_that_of_its_method() -> None:
    _, trial = made(method="flow", temperature=0.5)
    assert trial.sampler is not None
    assert (trial.sampler.solver, trial.sampler.steps) == ("euler", 5)


def test_a_shorter_chunk_is_driven_to_its_end() -> None:
    assert USUAL.chunking.execute == 8
    executed = {n: made(chunking__horizon=n)[0].chunking.execute for n in (1, 4, 8, 32)}
    assert executed == {1: 1, 4: 4, 8: 8, 32: 8}
    both, _ = made(chunking__horizon=4, chunking__execute=2)
    assert both.chunking.execute == 2


@pytest.mark.parametrize(
    ("factors", "said"),
    [
        ({"chunking.horizn": 4}, "'chunking.horizn'. Did you mean 'chunking.horizon'?"),
        ({"learning-rate": 4}, "'learning-rate'. Did you mean 'learning_rate'?"),
        ({"excute": 4}, "'excute'. Did you mean 'execute'?"),
        ({"netwrk": "dit"}, "'netwrk'. Did you mean 'network'?"),
        ({"sampler.step": 4}, "'step'. Did you mean 'steps'?"),
        ({"method": "flw"}, "no method 'flw'. Did you mean 'flow'?"),
        ({"network": "mpl"}, "no network 'mpl'. Did you mean 'mlp'?"),
        ({"task": "frok"}, "'frok'. Did you mean 'fork'?"),
        ({"recipe": "frok"}, "no recipe 'frok'. Did you mean 'fork'?"),
        ({"seed": 3}, "no field to vary: 'seed'"),
        ({"data": "a.npz"}, "no field to vary: 'data'"),
        ({"network": 3}, "network is a name, and 3 is none"),
        ({"method": None}, "method is a name, and None is none"),
        ({"chunking.horizon": "many"}, "chunking.horizon: 'many' is not a value of int"),
        ({"chunking.horizon": None}, "chunking.horizon: None is not a value of int"),
        ({"chunking.horizon": 0}, "horizon is 0"),
        ({"chunking.execute": 17}, "execute is 17, but a chunk has 16 rows"),
        ({"learning_rate": -1}, "learning_rate is -1.0; it must be positive"),
        ({"solver": "euler"}, "Euler steps follow the straight path"),
        ({"sampler.steps": 500}, "500 sampling steps are more than the 100 noise levels"),
        ({"execute": 17}, "execute is 17, but a chunk has 16 rows"),
        ({"execute": 8, "chunking.horizon": 4}, "execute is 8, but a chunk has 4 rows"),
        ({"execute": 0}, "execute is 0"),
        ({"repeats": 0}, "repeats is 0; it must be at least 1"),
        ({"perturb_history": -1.0}, "perturb_history is -1.0; it must be at least 0"),
        ({"controller": "recedin"}, "Did you mean 'receding'?"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_in_one_line_before_anything_is_trained(factors, said) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(said)) as found:
        configured(ASKED, factors)
    assert "\n" not in str(found.value)


def test_each_field_is_offered_once() -> None:
    with pytest.raises(ConfigurationError) as found:
        made(nothing_like_it=3)
    offered = str(found.value).rstrip(".").partition("Available: ")[2].split(", ")
    assert len(offered) == len(set(offered))
    assert {"task", "solver", "sampler.steps", "denoiser.width", "execute"} <= set(offered)


def test_rows_of_a_sweep_that_differ_in_trials_alone_share_a_training() -> None:
    vary = ("chunking.horizon=4,8", "solver=ddim,dpmpp_2m", "repeats=1,2")
    cells = Sweep().cells(Asked(task="fork", vary=vary))
    assert len(cells) == 8
    assert len({cell.config for cell in cells}) == 2
    assert len({(cell.config, cell.trial) for cell in cells}) == 8
    assert cells[0].label == "chunking.horizon 4, solver ddim, repeats 1"


def test_a_task_in_a_file_of_ones_own_is_varied(tmp_path) -> None:
    example = Path(__file__).parents[2] / "examples" / "reach.py"
    varied = Varied.parse(f"task=fork,{example}:Reach")
    assert len(varied.values) == 2
    asked = Asked(recipe="state")
    tasks = [configured(asked, {"task": name})[0].task for name in varied.values]
    assert tasks == ["fork", f"{example}:Reach"]


def test_latency_is_varied_as_it_is_written() -> None:
    factors = {"controller": "blend", "latency": "200ms", "latency_jitter": "0.05s", "drop": 0.1}
    late = configured(ASKED, factors)[1].acting.latency
    assert (late.seconds, late.jitter, late.drop) == (0.2, 0.05, 0.1)
    with pytest.raises(ConfigurationError, match="takes a time"):
        configured(ASKED, {"latency": "late"})
