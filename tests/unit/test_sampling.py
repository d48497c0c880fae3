"""Drawn tokens come as often as the softmax says, and a row's token is its own affair."""

import pytest
import torch
from scipy.stats import chisquare

from rational_utils.models.sampling import draw

LOGITS = torch.tensor([1.0, -torch.inf, 0.0, 3.0, 2.0, -20.0])


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_come_as_often_as_the_softmax_says(temperature):
    count = 20_000
    chances = torch.rand(count, generator=torch.Generator().manual_seed(0))
    tokens = draw(LOGITS.expand(count, -1), torch.full((count,), temperature), chances)
    found = torch.bincount(tokens, minlength=len(LOGITS))
    expected = (LOGITS.double() / temperature).softmax(-1) * count
    likely = expected > 5
    assert found[1] == 0 and found[~likely].sum() <= 10
    assert chisquare(found[likely], expected[likely] * (found[likely].sum() / expected[likely].sum())).pvalue > 0.001


def test_ends_of_the_range_pick_words_that_can_come():
    logits = torch.tensor([[-torch.inf, 0.0, 1.0, -torch.inf]] * 2)
    assert draw(logits, torch.ones(2), torch.tensor([0.0, 1 - 2**-24])).tolist() == [1, 2]


def test_a_row_depends_on_itself_alone():
    torch.manual_seed(0)
    logits, temperatures, chances = torch.randn(7, 300), torch.rand(7) + 0.5, torch.rand(7)
    together = draw(logits, temperatures, chances)
    assert together.tolist() == [draw(*(part[i : i + 1] for part in (logits, temperatures, chances))).item() for i in range(7)]
