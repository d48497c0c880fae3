"""Small versions of what `make bench` shows at length: our losses are TRL's, and a comparison counts what it should."""

import pandas as pd
import pytest

from bench import imitations, losses, readings, timing
from bench.sft import SETTINGS
from rational_utils.judges import _labelled
from rational_utils.models import chat, loading, tiny

ROWS = [("Name a colour.", "Red."), ("Count to three.", "One, two, three."), ("Greet me.", "Good day to you."), ("Rhyme on tree.", "Free.")] * 3


def test_losses_are_those_of_trl():
    settings = SETTINGS.model_copy(update={"rows_per_step": 2, "learning_rate": 1e-2})
    tokenizer = tiny.tokenizer()
    encoded = [chat.encode(tokenizer, *row, settings.max_tokens) for row in ROWS]
    mine, trl = (side(*loading.load("tiny"), encoded, settings) for side in (losses.ours, losses.theirs))
    assert mine == pytest.approx(trl, rel=1e-4) and len(mine) == 6
    assert mine[-1] < mine[0]


def test_a_summary_compares_medians_and_states_the_share_of_the_limit():
    rounds = pd.DataFrame({"side": ["ours", "peer"] * 3, "rate": [20.0, 5.0, 30.0, 4.0, 40.0, 10.0], "limit": [60.0] * 6})
    ours, peer = timing.summary(rounds, "ours", "tokens", 1e9).to_dict("records")
    assert ours["tokens/s (median)"] == 30 and ours["of the limit"] == "50%" and ours["range"] == "20.0–40.0"
    assert peer["ours is faster by"] == 6 and peer["rounds"] == 3


def test_sides_take_turns_and_every_one_runs_in_every_round():
    called = []
    sides = {name: (lambda name=name: called.append(name) or 1) for name in ("a", "b")}
    rounds = timing.alternate(sides, 2, lambda: 1.0, "items")
    assert called == ["a", "b", "b", "a"] and rounds.groupby("side")["round"].nunique().tolist() == [2, 2]


def test_the_offline_judge_agrees_on_every_imitated_model_and_the_others_as_published():
    table = imitations.table().round(2).set_index("model imitated")
    assert table.loc["mean", "offline"] >= 0.80 and table["offline"].min() >= 0.60
    published = pd.read_csv(timing.RESULTS / "imitations.csv", index_col="model imitated")
    others = ["answers", "refusals", "words", "rules", "substring"]
    pd.testing.assert_frame_equal(table[others], published[others])


def test_no_judge_learns_from_a_question_of_the_imitations():
    learnt = {*_labelled.dialogues()["prompt"], *pd.read_csv(_labelled.FOLDER / "phrases.csv")["prompt"]}
    assert not learnt & {prompt for part in _labelled.imitations().values() for prompt in part["objective"]}


def test_published_verdicts_tell_refusals_apart_as_their_reader_did():
    table = readings.table(readings.read_and_judged()).round(2)
    assert table.set_index("responses").loc["all", "kappa, refused or not"] >= 0.90
    pd.testing.assert_frame_equal(table, pd.read_csv(timing.RESULTS / "readings.csv"))


def test_a_reading_of_a_response_that_is_not_published_is_an_error(tmp_path, monkeypatch):
    pd.read_csv(_labelled.FOLDER / "readings.csv").assign(response_sha256="0").to_csv(tmp_path / "readings.csv", index=False)
    monkeypatch.setattr(readings, "FOLDER", tmp_path)
    with pytest.raises(ValueError, match="294 of 294 responses are not among `cpu`'s published ones"):
        readings.read_and_judged()
