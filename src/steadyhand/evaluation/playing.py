"""The episodes of a rollout on their way: begun where there is room, answered, done or lost.

Chunks are predicted here and nowhere else, for all that ask at the same time. Where worlds are
stepped is not known here.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import count

from steadyhand.evaluation.crew import Crew, Died, Returned
from steadyhand.evaluation.episode import Episode, Play, WorldFailed, same_scores
from steadyhand.evaluation.lanes import Event
from steadyhand.evaluation.lost import Losses, Lost
from steadyhand.evaluation.pace import Pace
from steadyhand.runtime import ChunkRequest, Predictor
from steadyhand.runtime.predictor import answers
from steadyhand.tasks import Scores

FOREVER = 3600.0
"""Seconds; nobody waits longer than a world may take."""


class Playing:
    """What comes of all of `plays`: `done`, and `losses`.

    Raises `ConfigurationError` where episodes have other scores than the first of their part of the
    task.
    """

    def __init__(
        self,
        predictor: Predictor,
        crew: Crew,
        pace: Pace,
        plays: Sequence[Play],
        losses: Losses,
        *,
        part_of: Callable[[int], object],
        watch: Callable[[Episode], object],
        lose: Callable[[Lost], object],
    ) -> None:
        self._predictor, self._crew, self._pace = predictor, crew, pace
        self._watch, self._lose, self._part_of = watch, lose, part_of
        self._scores: dict[object, Scores] = {}
        self._waiting, self._numbers = deque(plays), count()
        self._at: dict[int, Play] = {}
        self._asking: dict[int, ChunkRequest] = {}
        self.done: dict[Play, Episode] = {}
        self.losses = losses
        self.first: ChunkRequest | None = None

    def play(self) -> None:
        """Play all of them."""
        while self._waiting or self._at:
            while self._waiting and self._crew.room:
                number, play = next(self._numbers), self._waiting.popleft()
                self._at[number] = play
                self._crew.begin(number, play)
            for news in self._crew.news(0.0 if self._due else FOREVER):
                self._take(news)
            if self._due:
                self._predict()
        self.losses.check(len(self.done))

    def _take(self, news: Event | Died | Returned) -> None:
        number = news.number
        if isinstance(news, Event) and news.request is not None:
            self._asking[number] = news.request
            self.first = self.first or news.request
            self.losses.went_on |= news.ticks > 0
            self._crew.grow(len(self._waiting) + len(self._at))
            return
        play = self._at.pop(number)
        self._asking.pop(number, None)
        if isinstance(news, Returned):
            self._waiting.appendleft(play)
        elif isinstance(news, Died):
            self._lost(play, WorldFailed(news.why, news.why))
        elif news.failure is not None:
            self._lost(play, news.failure)
        elif news.episode is not None:
            self.losses.went_on = True
            first = self._scores.setdefault(self._part_of(play.seed), news.episode.scores)
            same_scores(first, news.episode.scores)
            self.done[play] = news.episode
            self._watch(news.episode)
        elif news.error is not None:
            raise news.error

    def _lost(self, play: Play, failure: WorldFailed) -> None:
        self._lose(self.losses.add(play, failure))

    @property
    def _due(self) -> bool:
        """Whether to predict now: for half of the episodes, while the others are stepped.

        One call for many takes less than many calls, so few are waited for; but no process waits
        that has nothing else to step.
        """
        if not self._asking or self._crew.working or (self._waiting and self._crew.room):
            return False
        return 2 * len(self._asking) >= len(self._at) or self._crew.idle

    def _predict(self) -> None:
        asking, self._asking = self._asking, {}
        begun = time.perf_counter()
        chunks = answers(self._predictor, list(asking.values()))
        self._pace.predict = min(self._pace.predict, time.perf_counter() - begun)
        for number, chunk in zip(asking, chunks, strict=True):
            self._crew.answer(number, chunk)
