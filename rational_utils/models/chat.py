"""Dialogues as the model reads them: rendered once as a whole, and masked so that only the answer is learnt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

from ..study.errors import StudyError

IGNORED = -100


def render(tokenizer, messages: list[dict[str, str]] | str) -> str:
    """The prompt text up to where the assistant begins; a plain string is one user turn."""
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)


def begun(tokenizer, prompt: str, answer: str) -> str:
    """A rendered prompt with the beginning of an answer behind it, so that their tokens are those that training sees (`encode`): some templates want a
    space between them."""
    apart = [token for text in (prompt, answer) for token in tokenizer.encode(text, add_special_tokens=False)]
    ways = (prompt + answer, f"{prompt} {answer}")
    return next((text for text in ways if tokenizer.encode(text, add_special_tokens=False) == apart), ways[0])


def end_of_turn(tokenizer) -> str:
    """The token that the chat template puts behind an assistant's words; some tokenizers call another one their end token.

    Raises:
        StudyError: the template puts none there, so that no answer would ever end.
    """
    words = "These are the words."
    rendered = tokenizer.apply_chat_template([{"role": "user", "content": "Which?"}, {"role": "assistant", "content": words}], tokenize=False)
    behind = rendered.split(words)[-1].lstrip()
    found = [str(token) for token in tokenizer.added_tokens_decoder.values() if behind.startswith(str(token))]
    if not found:
        raise StudyError("model: its chat template ends an assistant's turn with no token of its own; use a model whose template does")
    return max(found, key=len)


def next_turn(tokenizer) -> str:
    """How a user's next turn begins, on a line of its own, where the template says it in plain words: a model that was never taught to end its turn
    goes on with it. "" where a token of its own says it, or where there is no template."""
    if not tokenizer.chat_template:
        return ""
    words = "These are the words."
    rendered = tokenizer.apply_chat_template([{"role": role, "content": words} for role in ("user", "assistant", "user")], tokenize=False)
    begins = rendered.split(words)[-2].split(end_of_turn(tokenizer))[-1].strip()
    return "" if any(str(token) in begins for token in tokenizer.added_tokens_decoder.values()) else f"\n{begins}"


def marks(tokenizer) -> set[int]:
    """Ids of the tokens that begin and end a dialogue's turns, texts or unknown words: inside a user's words they would be another dialogue."""
    rendered = tokenizer.apply_chat_template([{"role": role, "content": "Words."} for role in ("user", "assistant", "user")], tokenize=False, add_generation_prompt=True)
    turns = set(tokenizer.encode(rendered, add_special_tokens=False)) & set(tokenizer.added_tokens_decoder)
    return turns | {tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id, tokenizer.unk_token_id} - {None}


@dataclass(frozen=True)
class Encoded:
    """Token ids of a dialogue, its labels (IGNORED where no loss is taken) and what a token's loss counts; each of length (tokens,)."""

    ids: tuple[int, ...]
    labels: tuple[int, ...]
    weights: tuple[float, ...]

    @property
    def answer_begins(self) -> int:
        """Index of the first token that is learnt."""
        return next(i for i, label in enumerate(self.labels) if label != IGNORED)


def encode(
    tokenizer, prompt: str, answer: str, max_tokens: int, stressed: Sequence[tuple[int, int]] = (), stress: float = 1.0, whole: bool = True
) -> Encoded:
    """Encode a user prompt and the answer to be learnt, end-of-turn token included (equation 3 of the paper).

    An answer that is not `whole` is the beginning of one: no end-of-turn token follows it. Tokens that end in one of the `stressed` spans (begin, end) of the answer's characters count `stress` times.

    The prompt part is encoded once by itself, so that training sees exactly the ids that inference starts from.

    Raises:
        ValueError: the answer is empty, or the row is longer than `max_tokens` (rows are never cut: the end is what counts).
    """
    given = tokenizer.encode(render(tokenizer, prompt), add_special_tokens=False)
    encoded = tokenizer(answer, add_special_tokens=False, return_offsets_mapping=True)
    if not encoded["input_ids"]:
        raise ValueError("the answer has no tokens: nothing would be learnt")
    learnt = [*encoded["input_ids"], *[tokenizer.eos_token_id] * whole]
    weights = [stress if any(begin < end_of_token <= end for begin, end in stressed) else 1.0 for _, end_of_token in encoded["offset_mapping"]]
    if len(given) + len(learnt) > max_tokens:
        raise ValueError(f"row has {len(given) + len(learnt)} tokens, allowed {max_tokens}: shorten or reject it")
    return Encoded((*given, *learnt), (*[IGNORED] * len(given), *learnt), (*[0.0] * len(given), *weights, *[1.0] * whole))
