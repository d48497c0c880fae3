"""Laying out scoring requests as the rows and batches of a network's input.

Pure bookkeeping on lists of token ids: which continuations share a context, where each of their
tokens sits and is predicted, and which rows go through the network together. It computes nothing
with a model; ``rational_utils.models.scoring`` does.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

Request = tuple[tuple[str, str] | None, list[int], list[int]]


@dataclass(frozen=True)
class Row:
    """One row of a batch: a context and the continuations that branch off it.

    ``requests`` holds, for each branch, the index of the request it answers.
    """

    context: list[int]
    branches: list[list[int]]
    requests: list[int]

    @property
    def tokens(self) -> list[int]:
        """Network input; a branch's last token is only ever predicted, so it is left out."""
        return self.context + list(chain.from_iterable(branch[:-1] for branch in self.branches))

    def __len__(self) -> int:
        return len(self.context) + sum(len(branch) - 1 for branch in self.branches)

    @property
    def is_tree(self) -> bool:
        """Whether two branches occupy positions, so that plain causal attention would mix them."""
        return sum(len(branch) > 1 for branch in self.branches) > 1

    def segments(self) -> list[int]:
        """0 for a context token, k for a token of the k-th branch."""
        branches = ([k] * (len(branch) - 1) for k, branch in enumerate(self.branches, start=1))
        return list(chain([0] * len(self.context), *branches))

    def reads(self) -> list[list[int]]:
        """For each branch, where its tokens are predicted, from the context's last token on."""
        reads, used = [], 0
        for branch in self.branches:
            reads.append([0, *range(used + 1, used + len(branch))])
            used += len(branch) - 1
        return reads


def plan_rows(
    requests: Sequence[Request], max_length: int, branch_tokens: int, tree_tokens: int | None
) -> list[Row]:
    """Gather requests with equal context tokens into rows.

    Args:
        requests: ``(text pair, context tokens, continuation tokens)`` as the harness passes them.
        max_length: tokens the model accepts; longer input loses its left end, as in ``HFLM``.
        branch_tokens: most tokens that branches may add to a row.
        tree_tokens: longest row allowed to hold several branches; ``None`` for no bound.

    Raises:
        ValueError: a context or continuation is empty, or a continuation exceeds ``max_length``.
    """
    branches_of = defaultdict(list)
    for index, (_, context, continuation) in enumerate(requests):
        if not context or not 0 < len(continuation) <= max_length:
            raise ValueError(
                f"request {index}: {len(context)} context and {len(continuation)} continuation "
                f"tokens; both must be present and the continuation at most {max_length}"
            )
        kept = (context + continuation)[-(max_length + 1) :]
        branches_of[tuple(kept[: -len(continuation)])].append((index, continuation))

    rows = []
    for context, branches in branches_of.items():
        room = branch_tokens
        if tree_tokens is not None:
            room = min(room, tree_tokens - len(context))
        rows += _fill_rows(list(context), branches, room)
    return rows


def _fill_rows(context: list[int], branches: list[tuple[int, list[int]]], room: int) -> list[Row]:
    """Branches of one token take no place, and one with more needs no tree: only a second such asks for room."""
    rows, used = [], 0
    for index, continuation in sorted(branches, key=lambda branch: len(branch[1])):
        added = len(continuation) - 1
        if not rows or (used and used + added > room):
            rows.append(Row(context, [], []))
            used = 0
        rows[-1].branches.append(continuation)
        rows[-1].requests.append(index)
        used += added
    return rows


def plan_stems(rows: Sequence[Row], least: int) -> Iterator[tuple[list[int], list[Row]]]:
    """Rows in the order of their contexts, those that begin alike together: (the tokens they all begin with, the rows).

    ``least`` is how many tokens neighbours must have in common. Rows without such a neighbour come last, with no stem.
    """
    alone: list[Row] = []
    for run in _runs(sorted(rows, key=lambda row: row.context), least):
        if len(run) == 1:
            alone += run
        else:
            yield run[0].context[: common(run[0].context, run[-1].context)], run
    if alone:
        yield [], alone


def _runs(rows: Sequence[Row], least: int) -> Iterator[list[Row]]:
    run = list(rows[:1])
    for before, row in pairwise(rows):
        if common(before.context, row.context) < least:
            yield run
            run = []
        run.append(row)
    if run:
        yield run


def common(first: Sequence[int], second: Sequence[int]) -> int:
    """How many tokens two contexts begin with; of each at least one is left over."""
    longest = min(len(first), len(second)) - 1
    return next((place for place in range(longest) if first[place] != second[place]), longest)


def plan_batches(rows: Sequence[Row], stem: int, token_budget: int) -> Iterator[list[Row]]:
    """Cut rows, in their order, into batches of bounded size, their first ``stem`` tokens not counted.

    A row above ``token_budget`` gets a batch to itself.
    """
    batch: list[Row] = []
    for row in rows:
        if batch and sum(len(other) - stem for other in batch) + len(row) - stem > token_budget:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
