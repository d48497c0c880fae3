"""The README's tables that code writes: families of attacks with what they cost, and base models beside published figures."""

import pandas as pd
import pytest

from rational_utils.results import blocks

RUN = {"model": "small", "method": "base", "seed": 0}


@pytest.fixture
def folder(tmp_path):
    answers = [("two_words", "a", "q0", "compliance"), ("two_words", "b", "q0", "refusal"), ("one", "c", "q0", "refusal"), ("two_words", "a", "q1", "refusal"), ("two_words", "b", "q1", "refusal"), ("one", "c", "q1", "refusal")]
    verdicts = pd.DataFrame(answers, columns=["family", "attack", "question_id", "verdict"]).assign(**RUN, set="harmful")
    verdicts.to_parquet(tmp_path / "verdicts.parquet")
    return tmp_path


def costs(**more):
    rows = [("two_words", "a"), ("two_words", "b"), ("one", "c")]
    return pd.DataFrame(rows, columns=["family", "attack"]).assign(**RUN, queries=2, seconds=1.26, **more)


def test_a_family_has_its_rates_and_what_it_cost(folder, monkeypatch):
    monkeypatch.setattr(blocks.tables, "read", lambda *_: costs(gradient_steps=5))
    head, _, first, second = blocks.families_block(folder).splitlines()
    assert head == "| family | attacks | method | responses | attack success, pooled | questions broken by any | queries | gradients | seconds |"
    assert first.startswith("| two words | 2 | Base | 4 | 25.0% [") and "| 50.0% [" in first and first.endswith("(n=2) | 4 | 10 | 3 |")
    assert second.startswith("| one | 1 | Base | 2 | 0.0% [")


def test_what_was_not_counted_has_no_column(folder, monkeypatch):
    monkeypatch.setattr(blocks.tables, "read", lambda *_: costs())
    assert "gradients" not in blocks.families_block(folder)


def test_a_published_figure_stands_beside_ours_with_what_differs(monkeypatch, tmp_path):
    row = {"model": "smollm2-135m", "method": "base", "seed": 0, "task": "hellaswag_1000", "mode": "by_likelihood", "shots": 10, "metric": "acc_norm", "n": 983, "value": 0.44, "low": 0.41, "high": 0.47}
    monkeypatch.setattr(blocks.tables, "read", lambda *_: pd.DataFrame([row]))
    lines = blocks.published_block(tmp_path).splitlines()
    assert lines[2].startswith("| smollm2-135m | HellaSwag, 1,000-item sample | acc_norm | 0.440 [0.410, 0.470] (n=983) | 0.409 | no | 10, 0 |")
