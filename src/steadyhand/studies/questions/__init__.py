"""The questions, one file each: which rows they take, and what is found in them."""

from steadyhand.errors import UsageError, unknown
from steadyhand.studies.question import Question
from steadyhand.studies.questions.chunk import ChunkLength
from steadyhand.studies.questions.data import Demonstrations
from steadyhand.studies.questions.history import History
from steadyhand.studies.questions.latency import LatencyCost
from steadyhand.studies.questions.modes import Modes
from steadyhand.studies.questions.seeds import Seeds
from steadyhand.studies.questions.steps import DenoisingSteps
from steadyhand.studies.questions.sweep import Sweep

QUESTIONS: dict[str, Question] = {
    "modes": Modes(),
    "steps": DenoisingSteps(),
    "chunk": ChunkLength(),
    "history": History(),
    "data": Demonstrations(),
    "latency": LatencyCost(),
    "sweep": Sweep(),
    "seeds": Seeds(),
}


def question(name: str) -> Question:
    """The question of that name. Raises `UsageError` with the nearest for a typo."""
    if name not in QUESTIONS:
        raise UsageError(unknown("question", name, QUESTIONS))
    return QUESTIONS[name]
