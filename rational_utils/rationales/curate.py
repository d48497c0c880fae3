"""Generate rationales for a prompt table and keep the good ones: greedy first, then sampling, up to k tries."""

from __future__ import annotations

from typing import Callable

import pandas as pd

from ..models.chat import render
from ..models.generation import Request
from ..study.sections import Rationales
from ..study.settings import digest
from .checks import Candidate, reason_to_reject, require_known
from .self_check import ask, assemble, guide
from .text import HEADS


def curate(prompts: pd.DataFrame, tokenizer, complete: Callable, judge: Callable[[str, str], str], settings: Rationales) -> pd.DataFrame:
    """One row a prompt with its last try.

    Args:
        prompts: columns prompt_id, question_id, text, label, set, attack.
        complete: requests -> completions (batched generation by the model that is to be trained).
        judge: (prompt, final response) -> a judge's verdict.

    Returns:
        The prompts with columns intent, ethics, impact, decision, final, ended (False where a token limit cut the final response), tries and reason ("" when accepted).
    """
    require_known(settings.checks)
    done: list[dict] = []
    waiting = list(prompts.itertuples())
    for number in range(1, settings.tries + 1):
        tried = [_row(row, *made, number, judge, settings) for row, made in zip(waiting, _attempt(waiting, number, tokenizer, complete, settings))]
        again = {row["prompt_id"] for row in tried if row["reason"] and number < settings.tries}
        done += [row for row in tried if row["prompt_id"] not in again]
        waiting = [row for row in waiting if row.prompt_id in again]
    order = {name: index for index, name in enumerate(prompts["prompt_id"])}
    return pd.DataFrame(sorted(done, key=lambda row: order[row["prompt_id"]]))


def _attempt(rows: list, number: int, tokenizer, complete: Callable, settings: Rationales) -> list[tuple]:
    """(guided completion, plain completion or None) for each row; the first try is greedy."""
    temperature = settings.temperature if number > 1 else 0.0

    def request(row, text: str, limit: int = 0, sections=(), temperature: float = temperature) -> Request:
        return Request(render(tokenizer, text), limit, temperature, int(digest(f"{row.prompt_id}|{number}"), 16) % 2**31, sections)

    warm = max(temperature, settings.plain_temperature)
    guided = [request(row, ask(row.text, row.label), sections=guide(row.label, settings.section_tokens)) for row in rows]
    benign = [row for row in rows if row.label == "benign"]
    plain = [request(row, row.text, settings.answer_tokens, temperature=warm) for row in benign]
    written = complete(guided + plain)
    answers = {row.prompt_id: made for row, made in zip(benign, written[len(rows) :])}
    return [(made, answers.get(row.prompt_id)) for row, made in zip(rows, written)]


def _row(row, completion, plain, number: int, judge: Callable, settings: Rationales) -> dict:
    sections, decision, final = assemble(row.label, completion.sections, plain and plain.text)
    ended = plain is None or plain.finished
    candidate = Candidate(row.label, sections, decision, final, completion.cut, judge(row.text, final))
    facts = {name: getattr(row, name) for name in ("prompt_id", "question_id", "text", "label", "set", "attack")}
    facts |= {head.lower(): sections[head] for head in HEADS}
    return facts | {"decision": decision, "final": final, "ended": ended, "tries": number, "reason": reason_to_reject(candidate, settings.checks)}
