"""Scaffolds that lead a model through a text section by section while it is being generated.

A small model follows a format when it is given each section's head and first words and is stopped at the sentence's
end. A guide says what to write itself and what to leave to the model; it knows nothing of what the sections mean.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass

_SENTENCE_END = re.compile(r"[.!?][\"')]?\s*$")


@dataclass(frozen=True)
class Section:
    """One part of a guided text: `head` is given, the rest (at most `max_tokens` tokens) is the model's.

    `ends_at` is "sentence", "line" or "text" (the end-of-turn token). With `choices` the model only picks the likeliest
    of these continuations.
    """

    name: str
    head: str
    max_tokens: int
    ends_at: str = "sentence"
    choices: tuple[str, ...] = ()


class Script:
    """Follows one sequence through its sections: which token is forced next, which are allowed, when it is over."""

    def __init__(self, sections: tuple[Section, ...], tokenizer):
        self.tokenizer = tokenizer
        self.sections = sections
        self.index = -1
        self.written: list[int] = []
        self.forced: deque[int] = deque()
        self.texts: dict[str, str] = {}
        self.cut: list[str] = []
        self.over = False
        self._before: list[int] = []
        self._next_section()

    @property
    def section(self) -> Section:
        return self.sections[self.index]

    def allowed_tokens(self) -> list[int]:
        """First tokens of the choices, or nothing when the model may write what it likes."""
        return [ids[0] for ids in self._choice_ids()] if self.section.choices and not self.written else []

    def observe(self, token: int, ends_turn: bool) -> int:
        """Take the model's token; return the one that goes into the text (a line end gives way to the next head)."""
        self.written.append(token)
        text = self._text(self.written)
        section = self.section
        if section.choices:
            chosen = next(ids for ids in self._choice_ids() if ids[0] == token)
            self._close(self._text(chosen))
            self.forced.extendleft(reversed(chosen[1:]))
            return token
        if ends_turn or ("\n" in text and section.ends_at != "text"):
            self._close(text.split("\n")[0] if section.ends_at != "text" else self._text(self.written[:-1]))
            return self.forced.popleft() if self.forced else token
        if section.ends_at == "sentence" and _SENTENCE_END.search(text):
            self._close(text)
        elif len(self.written) >= section.max_tokens:
            self.cut.append(section.name)
            self._close(text)
        return token

    def _text(self, tokens: list[int]) -> str:
        """The tokens' text behind the head: some tokenizers drop a space where a text begins."""
        return self.tokenizer.decode([*self._before, *tokens])[len(self.tokenizer.decode(self._before)) :]

    def _close(self, text: str) -> None:
        self.texts[self.section.name] = text.rstrip()
        self._next_section()

    def _next_section(self) -> None:
        self.index += 1
        self.written = []
        if self.index == len(self.sections):
            self.over = True
            return
        head = self.section.head if self.index == 0 else "\n" + self.section.head
        given = self.tokenizer.encode(head, add_special_tokens=False)
        self.forced.extend(given)
        self._before = given[-1:]

    def _choice_ids(self) -> list[list[int]]:
        found = [self.tokenizer.encode(choice, add_special_tokens=False) for choice in self.section.choices]
        if len({ids[0] for ids in found}) < len(found):
            raise ValueError(f"{self.section.name}: this tokenizer begins several of {', '.join(self.section.choices)} with one token, so that none can be chosen by it")
        return found
