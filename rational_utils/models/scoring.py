"""Log-likelihoods of answers, as EleutherAI's harness defines them, made affordable on a CPU.

``BatchedLM`` is the harness's own ``HFLM`` with one step replaced: how tokenised requests are
run through the network. Tokenisation, truncation, chat templates, rolling likelihood and
generation are inherited and therefore cannot drift from the harness. It does not choose tasks,
load models or compute metrics, and it does not distribute over devices.

What makes it faster: a context shared by several continuations is computed once, as a tree whose
branches are the continuations; so is what the contexts of a batch begin with; nothing is padded; and
the output layer is applied only at the positions that predict a continuation token.
"""

from collections.abc import Iterator

import torch
from lm_eval.models.huggingface import HFLM

from rational_utils.models import llama, ragged
from rational_utils.models.batching import Request, Row, plan_batches, plan_rows

Answer = tuple[float, bool]

# The shortcut rests on two facts about an architecture: every layer is plain attention (gemma2's has a
# softcap), and the head is one linear layer with at most a softcap after it.
# Both are tested for these; anything else takes HFLM's own road.
SHORTCUT_ARCHITECTURES = frozenset({"gemma3_text", "llama", "mistral", "qwen2", "qwen3"})

HEAD_POSITIONS = 256


class BatchedLM(HFLM):
    """``HFLM`` answers from fewer and smaller matrix products.

    Equal to ``HFLM`` up to rounding in float32. In a narrower type the log-softmax is still taken
    in float32, where ``HFLM`` keeps the model's type. Models of an architecture outside
    ``SHORTCUT_ARCHITECTURES``, and prompt-tuned ones, are run by ``HFLM`` itself.

    Args:
        model: causal language model, plain or with adapters (merged or not), on its device.
        tokenizer: its tokenizer; given a padding token if it has none.
        token_budget: tokens of one batch.
        branch_tokens: most tokens that continuations may add to one shared context.
        max_length: context window in tokens; read from the model's configuration by default.
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
        super().__init__(
            pretrained=model, tokenizer=tokenizer, max_length=max_length, batch_size=16
        )
        self.token_budget = token_budget
        self.branch_tokens = branch_tokens
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
        window = getattr(self.config, "sliding_window", None)
        rows = plan_rows(requests, self.max_length, self.branch_tokens, tree_tokens=window)
        answers: list[Answer | None] = [None] * len(requests)
        with llama.lean(self.model):
            for batch in plan_batches(rows, self.token_budget):
                for index, answer in self._answers(batch):
                    answers[index] = answer
                    if requests[index][0] is not None:
                        self.cache_hook.add_partial("loglikelihood", requests[index][0], answer)
        return answers

    @torch.inference_mode()
    def _answers(self, batch: list[Row]) -> Iterator[tuple[int, Answer]]:
        states = self._states(batch)
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

    def _states(self, batch: list[Row]) -> torch.Tensor:
        """Final hidden states ``[positions read, hidden]`` of all rows, in order."""
        shared = ragged.common_prefix([row.context for row in batch])
        hidden = ragged.forward(
            self.model, [row.tokens[shared:] for row in batch], stem=batch[0].context[:shared],
            branches=[row.segments()[shared:] if row.is_tree else [] for row in batch],
        )  # fmt: skip
        own = hidden[shared:].split([len(row) - shared for row in batch])
        return torch.cat([states[len(row.context) - shared - 1 :] for row, states in zip(batch, own, strict=True)])

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
