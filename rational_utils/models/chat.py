"""Dialogues as the model reads them: rendered once as a whole, and masked so that only the answer is learnt."""

from __future__ import annotations

from dataclasses import dataclass

IGNORED = -100


def render(tokenizer, messages: list[dict[str, str]] | str) -> str:
    """The prompt text up to where the assistant begins; a plain string is one user turn."""
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)


@dataclass(frozen=True)
class Encoded:
    """Token ids of a dialogue and its labels: IGNORED where no loss is taken. Both of length (tokens,)."""

    ids: tuple[int, ...]
    labels: tuple[int, ...]


def encode(tokenizer, prompt: str, answer: str, max_tokens: int) -> Encoded:
    """Encode a user prompt and the answer to be learnt, end-of-turn token included (equation 3 of the paper).

    The prompt part is encoded once by itself, so that training sees exactly the ids that inference starts from.

    Raises:
        ValueError: the answer is empty, or the row is longer than `max_tokens` (rows are never cut: the end is what counts).
    """
    given = tokenizer.encode(render(tokenizer, prompt), add_special_tokens=False)
    learnt = tokenizer.encode(answer, add_special_tokens=False)
    if not learnt:
        raise ValueError("the answer has no tokens: nothing would be learnt")
    learnt = [*learnt, tokenizer.eos_token_id]
    if len(given) + len(learnt) > max_tokens:
        raise ValueError(f"row has {len(given) + len(learnt)} tokens, allowed {max_tokens}: shorten or reject it")
    return Encoded((*given, *learnt), (*[IGNORED] * len(given), *learnt))
