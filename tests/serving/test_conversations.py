"""A server and its clients: openpi's unchanged, and our own."""

import threading
import time
from functools import partial

import numpy as np
import pytest
from here import SPEC, Echo, serving, together
from openpi_client.websocket_client_policy import WebsocketClientPolicy

from steadyhand.errors import ConfigurationError, NotFiniteError, PredictorError
from steadyhand.runtime.client import RemotePredictor
from steadyhand.runtime.continuation import Guided, Inpainted, Prefixed
from steadyhand.runtime.predictor import ChunkRequest
from steadyhand.serving.limits import Limits
from steadyhand.spec import PolicySpec
from steadyhand.task_table import TaskTable

STATE = "observation.state"


@pytest.fixture(scope="module")
def here():
    with serving() as running:
        yield running


def seen(number: float, key: str = STATE) -> dict:
    return {key: np.array([number, 0, 0], np.float32)}


def request(*numbers: float, **more) -> ChunkRequest:
    state = np.zeros((2, 3), np.float32)
    state[:, 0] = numbers
    return ChunkRequest(observation={STATE: state}, **more)


def test_the_client_of_openpi_works_unchanged(here) -> None:
    client = WebsocketClientPolicy("127.0.0.1", here.port)
    metadata = client.get_server_metadata()
    assert metadata["policy"] == "first"
    assert metadata["observations"] == {STATE: {"shape": [3], "kind": "state"}}
    assert (metadata["horizon"], metadata["execute"], metadata["action_size"]) == (7, 4, 2)
    first, second = client.infer(seen(1)), client.infer(seen(5))
    assert first["actions"].shape == (7, 2)  # from now on
    apart = second["actions"][0] - first["actions"][0]
    np.testing.assert_allclose(
        apart, [1, 5], atol=1e-4
    )  # what was seen before and now, and the number
    assert set(first) == {"actions", "server_timing", "policy_timing"}
    assert first["server_timing"]["infer_ms"] >= first["policy_timing"]["infer_ms"] > 0


def test_history_is_each_connections_own(here) -> None:
    clients = [WebsocketClientPolicy("127.0.0.1", here.port) for _ in range(2)]
    for number in range(3):
        answers = [c.infer(seen(10 * place + number)) for place, c in enumerate(clients)]
        for place, answer in enumerate(answers):
            told = answer["actions"][0] % 100 - number - 0.1  # without seed and number
            before = 10 * place + max(number - 1, 0)
            np.testing.assert_allclose(told, [before, 10 * place + number], atol=1e-3)


def test_a_whole_history_and_other_habits_of_naming_are_taken(here) -> None:
    client = WebsocketClientPolicy("127.0.0.1", here.port)
    whole = client.infer({STATE: request(3, 4).observation[STATE]})["actions"][0]
    slashes = client.infer(seen(6, "observation/state"))["actions"][0]
    nested = client.infer({"observation": {"state": seen(7)[STATE]}, "more": 1.0})["actions"][0]
    np.testing.assert_allclose(slashes - whole, [6 - 3 + 1, 6 - 4 + 1], atol=1e-4)
    np.testing.assert_allclose(nested - slashes, [1, 2], atol=1e-4)


@pytest.mark.parametrize(
    ("observation", "said"),
    [
        ({STATE: np.zeros(4)}, r"has shape \(4,\)"),
        ({STATE: [0.0, 0.0, 0.0]}, "is a list; numpy arrays"),
        ({STATE: np.array([np.nan, 0, 0])}, "is not a finite number"),
        ({"state": np.zeros(3)}, "The policy sees observation.state; the message has state"),
        (seen(13), "could not answer; the server's log says why"),
        (seen(14), "'…' has no 14"),
    ],
)
def test_errors_say_what_is_wrong_and_nothing_of_the_inside(
    here, observation, said, caplog
) -> None:
    caplog.set_level("INFO", "steadyhand.serving")
    client = WebsocketClientPolicy("127.0.0.1", here.port)
    with pytest.raises(RuntimeError, match=said) as told:
        client.infer(observation)
    assert not any(word in str(told.value) for word in ("srv", "Traceback", "secret", ".py"))
    from websockets.exceptions import ConnectionClosedError

    with pytest.raises(ConnectionClosedError) as closed:
        client.infer(seen(1))
    assert closed.value.rcvd.code == 1011
    assert not any("nan" in str(getattr(r, "fields", "")) for r in caplog.records)


def test_our_own_client_asks_for_all_and_gets_all(here) -> None:
    remote = RemotePredictor(here.url)
    assert remote.spec == SPEC
    assert (remote.greeting.task, remote.greeting.step) == ("fork", 7)
    asked = [request(n, 3 * n, seed=n, number=n + 1) for n in range(20)]  # more than may be open
    np.testing.assert_array_equal(remote.predict(asked), Echo().predict(asked))
    assert remote.predict([]).shape == (0, 8, 2)
    rest = np.ones((3, 2), np.float64)
    on = request(1, 2, previous=rest, committed=2, continuation=Guided(beta=3.0))
    np.testing.assert_array_equal(remote.predict([on])[0], Echo().chunk(on))
    remote.continues(Guided())
    with pytest.raises(ConfigurationError, match="not so"):
        remote.continues(Inpainted())
    for wrong, kind, said in (
        (request(14, 14), ConfigurationError, "has no 14"),
        (request(1, np.inf), NotFiniteError, "not a finite"),
        (request(13, 13), PredictorError, "could not answer"),
        (request(1, 1, continuation=Guided()), ConfigurationError, "previous is None"),
        (
            request(1, 1, previous=rest, committed=2, continuation=Prefixed()),
            ConfigurationError,
            "given at most 0",
        ),
        (request(1, 1, seed=-1), ConfigurationError, "seeds are whole numbers"),
        (ChunkRequest(observation={STATE: np.zeros((3, 3))}), ConfigurationError, "time steps"),
    ):
        with pytest.raises(kind, match=said):
            remote.predict([wrong])
    np.testing.assert_array_equal(remote.predict(asked[:1]), Echo().predict(asked[:1]))


def test_threads_share_one_client(here) -> None:
    remote = RemotePredictor(here.url)
    wrong = list[int]()

    def ask(seed: int) -> None:
        for number in range(20):
            one = request(number, seed, seed=seed, number=number)
            if not np.array_equal(remote.predict([one])[0], Echo().chunk(one)):
                wrong.append(seed)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_policies_have_names() -> None:
    other = Echo()
    with serving(others={"second": other}) as here:
        assert RemotePredictor(f"{here.url}/second").greeting.policy == "second"
        assert RemotePredictor(f"{here.url}/first").greeting.policy == "first"
        with pytest.raises(ConfigurationError, match=r"no policy 'secnd'\. Did you mean 'second'"):
            RemotePredictor(f"{here.url}/secnd")
    with pytest.raises(ConfigurationError, match="no address"):
        RemotePredictor("http://127.0.0.1:1/x")


def test_requests_of_many_are_answered_together_each_with_its_own() -> None:
    policy = Echo()
    with serving({1: policy, 4: policy, 16: policy}) as here:
        remotes = [RemotePredictor(here.url) for _ in range(12)]
        found: dict[int, np.ndarray] = {}

        def ask(place: int) -> None:
            one = request(place, -place, seed=place)
            found[place] = remotes[place].predict([one])[0]

        together(here, policy, [partial(ask, place) for place in range(12)])
        assert policy.asked == [1, 11]
        for place, chunk in found.items():
            np.testing.assert_array_equal(chunk, Echo().chunk(request(place, -place, seed=place)))


def test_one_bad_request_fails_alone_in_a_batch() -> None:
    policy = Echo()
    with serving({1: policy, 8: policy}) as here:
        remotes = [RemotePredictor(here.url) for _ in range(4)]
        told: dict[int, object] = {}

        def ask(place: int) -> None:
            try:
                told[place] = remotes[place].predict([request(12 + place, 12 + place)])[0]
            except (ConfigurationError, PredictorError) as error:
                told[place] = type(error)

        together(here, policy, [partial(ask, place) for place in range(4)])
    assert (told[1], told[2]) == (PredictorError, ConfigurationError)
    for place in (0, 3):
        wanted = Echo().chunk(request(12 + place, 12 + place))
        np.testing.assert_array_equal(told[place], wanted)


def test_a_newer_request_takes_the_place_of_one_that_was_given_up() -> None:
    policy = Echo()
    with serving({1: policy}) as here:
        remote = RemotePredictor(here.url, timeout=0.2)
        policy.gate.clear()
        with pytest.raises(PredictorError, match=r"no answer has come for 0\.2 s"):
            remote.predict([request(0, 0)])  # in work
        with pytest.raises(PredictorError, match="no answer"):
            remote.predict([request(1, 1)])  # waits
        with pytest.raises(PredictorError):
            remote.predict([request(2, 2)])  # instead of that
        policy.gate.set()
        np.testing.assert_array_equal(
            remote.predict([request(3, 3)])[0], Echo().chunk(request(3, 3))
        )
        assert len(policy.asked) <= 3  # of four


def test_who_asks_too_much_at_once_is_not_read_from() -> None:
    policy = Echo()
    policy.gate.clear()
    with serving({1: policy}, limits=Limits(outstanding=3)) as here:
        remote = RemotePredictor(here.url)
        asked = [request(n, n) for n in range(8)]  # the greeting of this server says 8
        thread = threading.Thread(target=lambda: remote.predict(asked))
        thread.start()
        time.sleep(0.2)
        assert here.desks["first"].waiting <= 3
        policy.gate.set()
        thread.join(5)
        assert sum(policy.asked) == 8


TOLD = PolicySpec.select(
    {STATE: (3,), "last_action": (2,), "action": (2,)},
    observations=[STATE, "last_action", "task"],
    chunking=SPEC.chunking,
    tasks=TaskTable.of(["push", "pull"], np.array([[1, 2, 3], [4, 5, 6]])),
)


class Told(Echo):
    """Answers with the tasks it was told, by the first number of each vector."""

    def chunk(self, request):
        told = request.observation["task"]
        assert told.dtype == np.float32
        return np.full((8, 2), told[:, 0], np.float32)


def test_a_task_is_told_in_words() -> None:
    with serving({1: Told(TOLD)}) as here:
        client = WebsocketClientPolicy("127.0.0.1", here.port)
        last = {"last_action": np.zeros(2, np.float32)}
        np.testing.assert_array_equal(
            client.infer({**seen(1), **last, "prompt": "pull"})["actions"][0], [4, 4]
        )
        np.testing.assert_array_equal(
            client.infer({**seen(1), **last, "task": "push"})["actions"][0], [4, 1]
        )
        whole = {STATE: request(1, 2).observation[STATE], "last_action": np.zeros((2, 2))}
        np.testing.assert_array_equal(
            client.infer({**whole, "prompt": "pull"})["actions"][0], [4, 4]
        )
        remote = RemotePredictor(here.url)
        one = ChunkRequest(observation={**whole, "task": np.array(["push", "pull"])})
        np.testing.assert_array_equal(remote.predict([one])[0][0], [1, 4])
        vectors = {**whole, "task": np.array([[4, 5, 6], [1, 2, 3]], np.float32)}
        np.testing.assert_array_equal(
            remote.predict([ChunkRequest(observation=vectors)])[0][0], [4, 1]
        )
        one = ChunkRequest(observation={**whole, "task": np.array(["push", "pul"])})
        with pytest.raises(ConfigurationError, match=r"no task 'pul'\. Did you mean 'pull'"):
            remote.predict([one])
        with pytest.raises(RuntimeError, match="no task 'pusch'"):
            client.infer({**seen(1), **last, "prompt": "pusch"})
        client = WebsocketClientPolicy("127.0.0.1", here.port)
        with pytest.raises(RuntimeError, match=r"sees observation\.state, last_action, task"):
            client.infer({**seen(1), "prompt": "push"})  # nobody here knows what was done last
