"""A model behind an OpenAI-compatible endpoint as somebody to talk to: dialogues in, replies out, in the same form as `talking.Talker`.

It lets itself be talked to and nothing else: no gradients, no likelihoods. It keeps no memory of its own.
"""

from __future__ import annotations

import http.client
import json
import os
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Sequence

from ..study.errors import Declined, StudyError

WAIT_AND_SEE = (408, 409, 425, 429, 500, 502, 503, 504)
NOT_THIS_ONE = (400, 413, 422)  # the request itself is not to the endpoint's liking: too long, or filtered
LONGEST_WAIT = 60.0  # seconds


@dataclass(frozen=True)
class Endpoint:
    """`url` ends before /chat/completions; `key` names the environment variable that holds the key, if one is needed.

    A reply has at most `max_tokens` tokens. What a busy or silent endpoint does not answer is asked again up to `tries` times, after `wait` seconds
    and twice as long each time, or as long as the endpoint says.
    """

    url: str
    model: str
    max_tokens: int
    key: str = ""
    tries: int = 6
    wait: float = 2.0
    timeout: float = 120.0

    @property
    def name(self) -> str:
        """Everything that decides what it writes, as far as can be known from outside."""
        return f"{self.model} at {self.url}, {self.max_tokens} tokens"

    def answer(self, dialogues: Sequence[Sequence[dict[str, str]]], temperature: float = 0.0, seeds: Sequence[int] | None = None) -> list[str]:
        """One reply a dialogue, in order; greedy by default, otherwise with a seed for each. Seeds are passed on; whether they are honoured is the endpoint's affair.

        Raises:
            Declined: the endpoint will not take one of the dialogues.
            StudyError: it cannot be reached, refuses the key, or does not answer as such an endpoint does.
        """
        return [self._reply(list(dialogue), temperature, seed) for dialogue, seed in zip(dialogues, seeds or [0] * len(dialogues), strict=True)]

    def _reply(self, messages: list[dict[str, str]], temperature: float, seed: int) -> str:
        asked = {"model": self.model, "messages": messages, "max_tokens": self.max_tokens, "temperature": temperature, "seed": seed}
        content = self._patiently(urllib.request.Request(f"{self.url.rstrip('/')}/chat/completions", json.dumps(asked).encode(), self._headers()))
        try:
            return json.loads(content)["choices"][0]["message"]["content"] or ""
        except (ValueError, KeyError, IndexError, TypeError):
            raise StudyError(f"endpoint {self.url}: the answer is not a chat completion; check the address (it ends before /chat/completions)") from None

    def _headers(self) -> dict[str, str]:
        if self.key and not os.environ.get(self.key):
            raise StudyError(f"endpoint {self.url}: the environment variable {self.key}, which should hold its key, is not set")
        return {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {os.environ[self.key]}"} if self.key else {})

    def _patiently(self, request: urllib.request.Request) -> bytes:
        wait = self.wait
        for left in reversed(range(self.tries)):
            try:
                with urllib.request.urlopen(request, timeout=self.timeout) as response:
                    return response.read()
            except urllib.error.HTTPError as error:
                if error.code not in WAIT_AND_SEE or not left:
                    raise self._complaint(error.code) from None
                wait = max(wait, _seconds(error.headers.get("Retry-After")))
            except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
                if not left:
                    raise StudyError(f"endpoint {self.url}: no answer ({getattr(error, 'reason', error)}) in {self.tries} tries; check that it runs") from None
            time.sleep(min(wait, LONGEST_WAIT))
            wait *= 2

    def _complaint(self, code: int) -> Exception:
        if code in NOT_THIS_ONE:
            return Declined(f"the endpoint does not take the request (HTTP {code})")
        return StudyError(f"endpoint {self.url}: HTTP {code}; check its address, the model's name ({self.model}) and the key" + (f" in {self.key}" if self.key else ""))


def _seconds(told: str | None) -> float:
    return float(told) if told and told.replace(".", "", 1).isdigit() else 0.0
