"""Log-likelihoods of answers, as EleutherAI's harness defines them, made affordable on a CPU.

``BatchedLM`` is the harness's own ``HFLM`` with one step replaced: how tokenised requests are
run through the network. Tokenisation, truncation, chat templates and rolling likelihood are inherited
and therefore cannot drift from the harness. It does not choose tasks, load models or compute metrics,
and it does not distribute over devices.

What makes it faster: a request that is made twice is computed once; a context shared by several continuations is computed
once, as a tree whose branches are the continuations; what many contexts begin with (a task's examples) is kept for all of
them, and what the contexts of a batch begin with is computed once a batch; nothing is padded; the output layer is applied
only at the positions that predict a continuation token; and greedy answers are written by `generation`.
"""

import time
from collections.abc import Iterator
from unittest.mock import patch

import torch
from lm_eval.models.huggingface import HFLM
from lm_eval.models.utils import handle_stop_sequences, normalize_gen_kwargs, postprocess_generated_text

from rational_utils.models import generation, llama, ragged
from rational_utils.models.batching import Request, Row, plan_batches, plan_rows, plan_stems
from rational_utils.models.cache import TextCache

Answer = tuple[float, bool]

# The shortcut rests on two facts about an architecture: every layer is plain attention (gemma2's has a
# softcap), and the head is one linear layer with at most a softcap after it.
# Both are tested for these; anything else takes HFLM's own road.
SHORTCUT_ARCHITECTURES = frozenset({"gemma3_text", "llama", "mistral", "qwen2", "qwen3"})

HEAD_POSITIONS = 256
# contexts that have this many first tokens in common share their keys and values
STEM_TOKENS = 96


class BatchedLM(HFLM):
    """``HFLM`` answers from fewer and smaller matrix products.

    Equal to ``HFLM`` up to rounding in float32. In a narrower type the log-softmax is still taken
    in float32, where ``HFLM`` keeps the model's type. Models of an architecture outside
    ``SHORTCUT_ARCHITECTURES``, and prompt-tuned ones, are run by ``HFLM`` itself.

    Args:
        model: causal language model, plain or with adapters (merged or not), on its device.
        tokenizer: its tokenizer; given a padding token if it has none.
        token_budget: tokens of one batch, without what is kept for many.
        branch_tokens: most tokens that continuations may add to one shared context.
        max_length: context window in tokens; read from the model's configuration by default.

    ``seconds`` holds what each request took, by its two arguments as text: its share of the batches that it was part of.
    """

    def __init__(
        self,
        model,
        tokenizer,
        *,
        token_budget: int = 1024,
        branch_tokens: int = 256,
        max_length: int | None = None,
    ):
        with patch("lm_eval.models.huggingface.eval_logger.warning"):  # that a model was given, not its name
            super().__init__(
                pretrained=model, tokenizer=tokenizer, max_length=max_length, batch_size=16
            )
        self.token_budget = token_budget
        self.branch_tokens = branch_tokens
        self.seconds: dict[tuple[str, str], float] = {}
        if self._takes_shortcut():
            self.model.set_attn_implementation(ragged.NAME)

    def get_model_info(self) -> dict:
        """Nothing: the inherited version asks the hub for a commit of a model already in memory."""
        return {}

    def _takes_shortcut(self) -> bool:
        adapters = getattr(self.model, "peft_config", None) or {}
        prompt_tuned = any(getattr(a, "is_prompt_learning", False) for a in adapters.values())
        return self.config.model_type in SHORTCUT_ARCHITECTURES and not prompt_tuned

    def _loglikelihood_tokens(
        self, requests: list[Request], disable_tqdm: bool = False, override_bs: int | None = None
    ) -> list[Answer]:
        if not self._takes_shortcut():
            return super()._loglikelihood_tokens(requests, disable_tqdm, override_bs)
        places: dict[tuple[tuple[int, ...], tuple[int, ...]], int] = {}
        asked = [places.setdefault((tuple(context), tuple(continuation)), len(places)) for _, context, continuation in requests]
        window = getattr(self.config, "sliding_window", None)
        rows = plan_rows([(None, list(context), list(continuation)) for context, continuation in places], self.max_length, self.branch_tokens, tree_tokens=window)
        found: dict[int, tuple[Answer, float]] = {}
        with llama.lean(self.model):
            for stem, together in plan_stems(rows, STEM_TOKENS):
                found.update(self._answers(stem, together))
        for place, (text, _, _) in zip(asked, requests, strict=True):
            if text is not None:
                self.seconds[text] = found[place][1]
                self.cache_hook.add_partial("loglikelihood", text, found[place][0])
        return [found[place][0] for place in asked]

    @torch.inference_mode()
    def _answers(self, stem: list[int], rows: list[Row]) -> Iterator[tuple[int, tuple[Answer, float]]]:
        """(request, (answer, seconds)) of all requests of rows that begin with the stem."""
        started = time.perf_counter()
        kept = TextCache(self.config.num_hidden_layers) if stem else None
        if stem:
            ragged.forward(self.model, [stem], kept)
        reading = (time.perf_counter() - started) / sum(len(row.requests) for row in rows)
        for batch in plan_batches(rows, len(stem), self.token_budget):
            started = time.perf_counter()
            answers = list(self._answers_of_batch(batch, len(stem), kept))
            seconds = (time.perf_counter() - started) / len(answers)
            yield from ((index, (answer, reading + seconds)) for index, answer in answers)

    def _answers_of_batch(self, batch: list[Row], stem: int, kept: TextCache | None) -> Iterator[tuple[int, Answer]]:
        states = self._states(batch, stem, kept)
        reads, targets, offset = [], [], 0
        for row in batch:
            for branch, positions in zip(row.branches, row.reads(), strict=True):
                reads += [offset + position for position in positions]
                targets += branch
            offset += len(row) - len(row.context) + 1
        values, greedy = self._score(states, torch.tensor(reads), torch.tensor(targets))

        start = 0
        for row in batch:
            for index, branch in zip(row.requests, row.branches, strict=True):
                span = slice(start, start + len(branch))
                yield index, (float(values[span].sum()), bool(greedy[span].all()))
                start += len(branch)

    def _states(self, batch: list[Row], stem: int, kept: TextCache | None) -> torch.Tensor:
        """Final hidden states ``[positions read, hidden]`` of all rows, in order."""
        shared = stem or ragged.common_prefix([row.context for row in batch])
        own = [row.tokens[shared:] for row in batch]
        branches = [row.segments()[shared:] if row.is_tree else [] for row in batch]
        if stem:
            hidden = ragged.forward(self.model, own, kept, stem, branches=branches)
            kept.cut(stem)
        else:
            hidden = ragged.forward(self.model, own, stem=batch[0].context[:shared], branches=branches)[shared:]
        states = hidden.split([len(tokens) for tokens in own])
        return torch.cat([of_row[len(row.context) - shared - 1 :] for row, of_row in zip(batch, states, strict=True)])

    def _score(
        self, states: torch.Tensor, reads: torch.Tensor, targets: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-probability of each target, and whether it is the most likely token there."""
        head = self.model.get_output_embeddings()
        softcap = getattr(self.config, "final_logit_softcapping", None)
        values = torch.empty(len(targets))
        greedy = torch.empty(len(targets), dtype=torch.bool)
        # Slices bound the memory that a vocabulary-wide row per position would take.
        for start in range(0, len(states), HEAD_POSITIONS):
            logits = head(states[start : start + HEAD_POSITIONS])
            if softcap is not None:
                logits = softcap * torch.tanh(logits / softcap)
            # HFLM's own function: logsumexp rounds otherwise, visibly so over long answers.
            scores = torch.log_softmax(logits.float(), dim=-1)  # with dtype= it takes ten times as long
            best = scores.argmax(-1)
            here = (reads >= start) & (reads < start + HEAD_POSITIONS)
            read, target = (reads[here] - start).to(scores.device), targets[here].to(scores.device)
            values[here] = scores[read, target].cpu()
            greedy[here] = (best[read] == target).cpu()
        return values, greedy

    def generate_until(self, requests: list, disable_tqdm: bool = False) -> list[str]:
        """Greedy answers, each cut before the first of its stop sequences; anything but plain greedy decoding is HFLM's own."""
        eos = self.tok_decode(self.eot_token_id, skip_special_tokens=False)
        asked = [self._as_request(*request.args, eos) for request in requests]
        if None in asked:
            return super().generate_until(requests, disable_tqdm)
        texts = []
        for request, done, wanted in zip(requests, generation.generate(self.model, self.tokenizer, asked), asked, strict=True):
            context, settings = request.args
            texts.append(postprocess_generated_text(done.text, list(wanted.stops), None))
            self.seconds[context, str(settings)] = done.seconds
            self.cache_hook.add_partial("generate_until", (context, settings), texts[-1])
        return texts

    def _as_request(self, context: str, settings: dict, eos: str) -> generation.Request | None:
        """The same for `generation`, or None where it does not write what HFLM would."""
        wanted = normalize_gen_kwargs(settings, self.max_gen_toks)
        tokens = self.tok_encode(context)
        plain = set(wanted) <= {"until", "max_gen_toks", "do_sample", "temperature"} and not wanted["do_sample"]
        fits = len(tokens) <= self.max_length - wanted["max_gen_toks"]
        if not (plain and fits and self._takes_shortcut()) or hasattr(self.model, "peft_config"):
            return None
        begins = self.tokenizer.bos_token if tokens != self.tokenizer.encode(context, add_special_tokens=False) else ""
        return generation.Request(begins + context, wanted["max_gen_toks"], stops=tuple(handle_stop_sequences(wanted["until"], eos)))
