"""Batched text generation that keeps the processor busy: finished sequences leave the batch, waiting ones come in.

The result of a request depends on its own text, settings and seed; batches are composed from the given order alone,
so the same list gives the same answers. It does not render chat templates and does not judge what it writes.
"""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import asdict

import torch

from ..study.keep import Keep
from ..study.progress import bar
from ..study.settings import digest
from . import chat, llama, products
from .decoding import Batch
from .sequences import Completion, Request, Row

__all__ = ["Completion", "Request", "generate", "generate_kept"]
CHUNK_ROWS = 3
# prompts are grouped by this many first tokens (an instruction they share), then by length
GROUPED_BY = 64


@torch.inference_mode()
def generate(model, tokenizer, requests: list[Request], *, rows: int = 32, on_done=None) -> list[Completion]:
    """Complete every request.

    Args:
        model: a causal language model of transformers in eval mode.
        requests: rendered prompts (special tokens included in the text).
        rows: how many sequences are decoded together.
        on_done: called with the number of requests that have just been finished (for a progress bar).

    Returns:
        Completions in the order of the requests; text without special tokens.
    """
    turn = chat.next_turn(tokenizer)
    waiting = [Row(i, request, tokenizer, tokenizer.eos_token_id, turn) for i, request in enumerate(requests)]
    waiting.sort(key=lambda row: (row.prompt_ids[:GROUPED_BY], -len(row.prompt_ids), row.index))
    batch, done = Batch(model), [None] * len(requests)
    with llama.lean(model, products.for_few_rows):
        while waiting or batch.rows:
            if waiting and batch.busy() <= rows * 3 // 4:
                free = rows - batch.busy()
                with _shared_time(waiting[:free]):
                    batch.admit(waiting[:free])
                waiting = waiting[free:]
            with _shared_time(batch.rows):
                ended = batch.step()
            for row in ended:
                done[row.index] = row.completion(tokenizer)
                if on_done:
                    on_done(1)
    return done


@contextmanager
def _shared_time(rows: list[Row]):
    started = time.perf_counter()
    yield
    share = (time.perf_counter() - started) / len(rows)
    for row in rows:
        row.seconds += share


def generate_kept(model, tokenizer, requests: list[Request], keep: Keep, made_by: str, what: str, *, rows: int = 32) -> list[Completion]:
    """`generate` in chunks whose results are kept, so that a killed stage goes on; `made_by` names the model's weights.

    Chunks are the same whether or not the work was interrupted, and so are the answers.
    """
    done: list[Completion] = []
    with bar(len(requests), what, "answers") as advance:
        for start in range(0, len(requests), rows * CHUNK_ROWS):
            chunk = requests[start : start + rows * CHUNK_ROWS]
            key = digest(json.dumps([made_by, rows, [asdict(request) for request in chunk]]))
            if keep.get(key) is None:
                keep.put(key, [asdict(made) for made in generate(model, tokenizer, chunk, rows=rows, on_done=advance)])
            else:
                advance(len(chunk))
            done += [Completion(**{**made, "cut": tuple(made["cut"])}) for made in keep.get(key)]
    return done
