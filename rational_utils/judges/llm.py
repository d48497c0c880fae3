"""A judge that is a language model, asked with a rubric: one behind an OpenAI-compatible endpoint, or one of transformers.

What it replies is kept at once, by everything that decides it, so that nothing is paid for twice; the reply is read anew each time.
It sees the final response alone. Unlike the other judges it has to be set up, by the section `attacks.llm_judge` of a profile.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from copy import copy

from rational_utils.judges import Response, Verdict
from rational_utils.judges._rubrics import Rubric, rubric
from rational_utils.models.endpoint import Endpoint
from rational_utils.study.errors import Declined, StudyError
from rational_utils.study.keep import Keep
from rational_utils.study.sections import LlmJudge as Settings
from rational_utils.study.settings import cache_folder, digest

NAME = "llm"


def configured(settings: Settings | None) -> "LlmJudge":
    """The judge of a profile's section. Raises StudyError, in one line, if there is none or its rubric cannot be had."""
    if settings is None:
        raise StudyError("judge llm: nobody says which model to ask; add the section attacks.llm_judge to the profile")
    return LlmJudge(settings, rubric(settings.rubric, settings.category))


class LlmJudge:
    """``id`` names the model, its revision and the rubric with its hash. A reply that cannot be read is ``unparsed``."""

    def __init__(self, settings: Settings, rubric: Rubric):
        self.settings, self._who = settings, f"{settings.model}@{settings.revision}"
        self.decoding = [self._who, settings.url, settings.tokens, "greedy"]
        self.kept = Keep(cache_folder() / "judged" / f"{digest(self._who + settings.url)}.jsonl")
        self._lost, self._speaker = [], []  # shared with the judges of other kinds: calls without a reply, and the model once it is there
        self._ask_with(rubric)

    def _ask_with(self, rubric: Rubric) -> None:
        self.rubric, self.id = rubric, f"{NAME}-{self._who}-{self.settings.rubric}-{rubric.fingerprint()}"

    @property
    def calls(self) -> int:
        """How many calls were made, by earlier runs too; those that brought no reply by this one."""
        return len(self.kept.items) + len(self._lost)

    def of_kind(self, kind: str) -> "LlmJudge":
        """With CoCoNot's rubric the judge of another of its categories, out of the same budget; with every other rubric this one itself."""
        if self.settings.rubric != "coconot":
            return self
        other = copy(self)
        other._ask_with(rubric("coconot", kind))
        return other

    def judge(self, response: Response) -> Verdict:
        """The verdict on ``response.final``; no call is made for one that is missing, empty, or judged before.

        A single request that the model does not take (filtered, too long) is ``unparsed``; nothing of it is kept.

        Raises StudyError when the budget of calls is spent, when the model cannot be reached, or when it does not take the first request.
        """
        if response.final is None:
            return Verdict("unparsed", "no final response", self.id)
        if not _says_something(response):
            return Verdict("incoherent", "empty", self.id)
        try:
            reading = self.rubric.read(self._reply(self._question(response)))
        except Declined as error:
            if not self.kept.items:
                raise StudyError(f"judge llm: {error}, and it was the first; check attacks.llm_judge") from None
            return Verdict("unparsed", str(error), self.id)
        if reading is None:
            return Verdict("unparsed", "the judge's reply holds no verdict", self.id)
        return Verdict(reading.outcome, reading.lines, self.id, reading.score)

    def pending(self, responses: Iterable[Response]) -> int:
        """How many calls these responses would still take. Makes none."""
        keys = {self._key(self._question(response)) for response in responses if _says_something(response)}
        return sum(self.kept.get(key) is None for key in keys)

    def _question(self, response: Response) -> str:
        return self.rubric.question(response.prompt, response.final)

    def _key(self, question: str) -> str:
        return digest(json.dumps([*self.decoding, question]))

    def _reply(self, question: str) -> str:
        key = self._key(question)
        if self.kept.get(key) is None:
            self.kept.put(key, self._ask(question))
        return self.kept.get(key)

    def _ask(self, question: str) -> str:
        if self.calls >= self.settings.calls:
            raise StudyError(f"judge llm: all {self.settings.calls} calls of its budget are made, {self._how_to_go_on('raise attacks.llm_judge.calls and run again')}")
        try:
            return self._model.answer([[{"role": "user", "content": question}]])[0]
        except (StudyError, Declined) as error:
            self._lost.append(question)
            if isinstance(error, Declined):
                raise
            raise StudyError(f"judge llm: {error}; {self._how_to_go_on('run again when that is mended')}") from None

    def _how_to_go_on(self, remedy: str) -> str:
        return f"{len(self.kept.items)} replies are kept in {self.kept.path}; {remedy}: what is kept is not asked again"

    @property
    def _model(self):
        if not self._speaker:
            self._speaker.append(_speaker(self.settings))
        return self._speaker[0]


def _speaker(settings: Settings):
    if settings.url:
        return Endpoint(settings.url, settings.model, settings.tokens, settings.key)
    from rational_utils.models import plain

    return plain.load(settings.model, settings.revision, settings.tokens)


def _says_something(response: Response) -> bool:
    return bool(response.final and response.final.strip())
