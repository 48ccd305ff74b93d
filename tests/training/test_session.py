"""A run as a session: its events, in their order, for whoever consumes them."""

import threading
from dataclasses import replace

import pytest

from steadyhand.errors import UsageError
from steadyhand.training.checkpoint import Run
from steadyhand.training.material import Material
from steadyhand.training.session import (
    Checkpoint,
    End,
    Evaluation,
    Plan,
    Step,
    Validation,
    session,
)
from steadyhand.training.train import build_policy, train


def test_events_come_in_their_order(config, episodes, tmp_path) -> None:
    config = replace(config, steps=20)
    policy = build_policy(config, episodes)
    events = list(session(policy, episodes, config, out=tmp_path / "r", score=lambda policy: 0.5))
    first, *others, last = events
    assert isinstance(first, Plan)
    assert (first.start, first.config.steps) == (0, 20)
    assert first.config.threads is not None, "what it says is settled"
    assert first.parameters == sum(p.numel() for p in policy.parameters())
    assert last == End(20)
    kinds = [type(event) for event in others]
    assert kinds == 2 * ([Step] * 9 + [Validation, Evaluation, Checkpoint, Step])
    run = Run(tmp_path / "r")
    saved = [event.folder for event in events if isinstance(event, Checkpoint)]
    assert saved == [run.folder(10), run.folder(20)]
    steps = [event for event in events if isinstance(event, Step)]
    losses = [event.loss for event in events if isinstance(event, Validation)]
    assert [step.validation_loss for step in steps if step.checkpoint] == losses


def test_a_session_needs_no_main_thread_and_prints_nothing(
    config, episodes, tmp_path, capfd
) -> None:
    policy, events = build_policy(config, episodes), []

    def work() -> None:
        events.extend(session(policy, episodes, config, out=tmp_path / "r"))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert isinstance(events[-1], End)
    assert capfd.readouterr() == ("", "")


def test_closing_a_session_saves_and_lets_go_of_the_folder(config, episodes, tmp_path) -> None:
    policy = build_policy(config, episodes)
    events = session(policy, episodes, config, out=tmp_path / "r")
    for event in events:
        if isinstance(event, Step) and event.step == 7:
            break
    with pytest.raises(UsageError, match="Another process is training in"):
        session(policy, episodes, config, out=tmp_path / "r", resume=True)
    events.close()
    assert Run(tmp_path / "r").steps_saved() == [7]
    again = session(policy, episodes, config, out=tmp_path / "r", resume=True)
    plan = next(again)
    assert isinstance(plan, Plan)
    assert plan.start == 7
    again.close()


def test_material_is_made_once_and_taken_everywhere(config, episodes, monkeypatch) -> None:
    material = Material.of(config, episodes)
    assert len(material.training) + len(material.held_out) == len(episodes)
    assert material.held_out_numbers == tuple(material.places[1])
    expected = [step.loss for step in train(build_policy(config, episodes), episodes, config)]
    monkeypatch.setattr("steadyhand.training.material.divided", None)
    policy = build_policy(config, material)
    assert [step.loss for step in train(policy, material, config)] == expected


def test_what_a_run_was_begun_with_is_told_by_the_field(config, episodes, tmp_path) -> None:
    policy = build_policy(config, episodes)
    session(policy, episodes, config, out=tmp_path / "r").close()
    list(train(policy, episodes, config, out=tmp_path / "s"))
    sampler = replace(config.policy.sampler, steps=2)
    other = replace(config, policy=replace(config.policy, sampler=sampler), batch_size=8)
    with pytest.raises(UsageError, match=r"another policy\.sampler\.steps, batch_size, and"):
        train(policy, episodes, other, out=tmp_path / "s", resume=True)
