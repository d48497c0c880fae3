"""Figures hold what the tables say, nothing overlaps or overflows, and equal input gives equal bytes."""
import hashlib
import json

import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import FancyBboxPatch

from rational_utils.results.figure_style import marks, text_width, wrap
from rational_utils.results.figures import figure1, figure2, figure3, figure4, figure_asr, figure_families, save
from rational_utils.results.statistics import pooled_asr, wilson
from rational_utils.results.tradeoff import tradeoff

METHODS = ["base", "refusal_sft", "circuit_breaker", "rational", "rational_no_benign", "rational_benign_25",
           "rational_benign_only", "own_idea"]
PROVENANCE = {"inputs": {"attacks.csv": "0" * 64}, "profile": "quick", "commit": "abc"}


def runs(methods, models=("m1",), seeds=(0,)):
    return [{"model": model, "method": method, "seed": seed} for model in models for method in methods for seed in seeds]


def attacks(methods, n=20, **many) -> pd.DataFrame:
    rows = []
    for place, run in enumerate(runs(methods, **many)):
        for family, attack in (("direct", "none"), ("persuasion", "logical_appeal")):
            hits = [20, 6, 0, 1, 0, 1, 18, 3][place % 8]
            low, high = wilson(hits, n)
            rows.append({**run, "family": family, "attack": attack, "access": "black-box", "seen_in_training": attack != "none",
                         "n": n, "compliances": hits, "refusals": n - hits, "asr": hits / n, "low": low, "high": high})
    return pd.DataFrame(rows)


def benign(methods, **many) -> pd.DataFrame:
    refusals = [0, 3, 6, 2, 9, 4, 0, 3]
    return pd.DataFrame([{**run, "set": "safe", "n": 30, "refusals": refusals[place % 8], "answered": 1 - refusals[place % 8] / 30}
                         for place, run in enumerate(runs(methods, **many))])


def benchmarks(methods, tasks=("truthfulqa_mc1", "toxigen", "piqa", "mmlu"), **many) -> pd.DataFrame:
    low, high = wilson(52, 100)
    return pd.DataFrame([{**run, "task": task, "mode": "loglikelihood", "shots": 0, "metric": "acc", "n": 100, "value": 0.52,
                          "low": low, "high": high, "chance": 0.5 if task != "truthfulqa_mc1" else np.nan}
                         for run in runs(methods, **many) for task in tasks])


def response(method="rational", final="Yes, gently.", verdict="compliance", rationale="Intent: fine."):
    return {"method": method, "rationale": rationale, "final": final, "verdict": verdict}


def texts(figure) -> list[str]:
    found = [text.get_text() for text in figure.texts]
    for ax in figure.axes:
        found += [text.get_text() for text in [*ax.texts, ax.title, ax._left_title, *ax.get_yticklabels(), *ax.get_xticklabels()]]
    return found


@pytest.fixture(scope="module")
def large():
    return {"models": ("m1", "m2"), "seeds": (0, 1)}


def test_equal_figures_are_equal_bytes_and_the_record_names_them(tmp_path):
    for folder in ("a", "b"):
        save(figure_asr(attacks(METHODS[:2])), tmp_path / folder, "asr", PROVENANCE)
    for suffix in ("png", "svg", "json"):
        assert (tmp_path / "a" / f"asr.{suffix}").read_bytes() == (tmp_path / "b" / f"asr.{suffix}").read_bytes()
    record = json.loads((tmp_path / "a" / "asr.json").read_text())
    assert record["inputs"] == PROVENANCE["inputs"] and record["commit"] == "abc" and record["watermark"] is None
    for name, digest in record["sha256"].items():
        assert hashlib.sha256((tmp_path / "a" / name).read_bytes()).hexdigest() == digest


def test_a_smoke_figure_is_always_watermarked_and_only_when_saved(tmp_path):
    figure = figure1({"query": "q", "responses": [response("base"), response()]}, "smoke")
    count = len(figure.texts)
    plain = save(figure, tmp_path, "plain", PROVENANCE)
    smoke = save(figure, tmp_path, "smoke", {**PROVENANCE, "profile": "smoke"})
    assert json.loads(smoke["json"].read_text())["watermark"] == "smoke" and len(figure.texts) == count
    assert smoke["png"].read_bytes() != plain["png"].read_bytes()


def test_save_refuses_a_figure_without_origin(tmp_path):
    with pytest.raises(ValueError, match="lacks inputs, commit"):
        save(None, tmp_path, "figure9", {"profile": "quick"})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("final", ["short", "many words " * 200, "x" * 3000, "危险 \x00 $a_b$ tab\there\n\n" * 40, ""])
def test_text_stays_in_its_card(final):
    example = {"query": final or "q", "responses": [response(method, final, "incoherent", final) for method in METHODS[2:5]]}
    figure = figure1(example)
    figure.draw_without_rendering()
    ax = figure.axes[0]
    cards = [patch.get_window_extent() for patch in ax.patches if isinstance(patch, FancyBboxPatch)]
    for text in ax.texts:
        box = text.get_window_extent()
        assert any(card.x0 <= box.x0 and box.x1 <= card.x1 and card.y0 - 1 <= box.y0 and box.y1 <= card.y1 + 1 for card in cards)


def test_figure1_shows_titles_verdicts_and_what_it_is():
    figure = figure1({"query": "q", "model": "Tiny", "responses": [response("circuit_breaker", verdict="incoherent"), response()]}, "cpu")
    shown = texts(figure)
    assert {"Circuit Breaker", "Rational", "incoherent", "compliance"} <= set(shown)
    assert any("cpu profile" in text and "Tiny" in text for text in shown)


@pytest.mark.parametrize("responses, message", [
    ([response()] * 4, "1 to 3"), ([response(), response(verdict="fine")], "unknown verdict"),
    ([response(), {"method": "base"}], "lacks final, rationale, verdict")])
def test_figure1_refuses(responses, message):
    with pytest.raises(ValueError, match=message):
        figure1({"query": "q", "responses": responses})


def test_figures_2_and_4_share_the_tasks_between_them():
    frame = benchmarks(METHODS[:3])
    assert {"TruthfulQA MC1", "ToxiGen"} <= set(texts(figure2(frame))) and "PIQA" not in texts(figure2(frame))
    assert {"PIQA", "MMLU", "acc, 0-shot, n = 100"} <= set(texts(figure4(frame)))
    with pytest.raises(ValueError, match="capability"):
        figure4(frame[frame["task"] == "toxigen"])
    with pytest.raises(ValueError, match="truthfulness"):
        figure2(frame[frame["task"] == "piqa"])


def test_figure2_marks_chance_values_seeds_and_gaps(large):
    frame = benchmarks(METHODS, ["toxigen"], **large)
    figure = figure2(frame[~((frame["method"] == "base") & (frame["model"] == "m2"))], "cpu")
    first, second = figure.axes
    assert [text.get_text() for text in second.texts].count("–") == 1
    assert any(list(line.get_xdata()) == [0.5, 0.5] for line in first.lines)
    assert [text.get_text() for text in first.texts].count("0.52") == len(METHODS)
    assert any("mean of 2 seeds" in text for text in texts(figure))


def test_figures_2_and_4_hold_the_tasks_of_cpu_in_both_modes(large):
    frame = benchmarks(METHODS, ("truthfulqa_mc1", "truthfulqa_mc2", "toxigen", "arc_challenge", "hellaswag_1000", "mmlu", "winogrande", "gsm8k", "piqa_subset"), **large)
    frame = frame.assign(mode="by_likelihood", metric=np.where(frame["task"] == "gsm8k", "exact_match,strict-match", "acc"))
    frame = pd.concat([frame, frame[frame["task"].isin(["truthfulqa_mc1", "toxigen"])].assign(mode="as_trained", n=40)], ignore_index=True)
    shown, four = texts(figure2(frame, "cpu")), texts(figure4(frame, "cpu"))
    assert shown.count("TruthfulQA MC1") == shown.count("ToxiGen") == 4 and shown.count("TruthfulQA MC2") == 2  # two models, two modes
    assert {"acc, by likelihood, 0-shot, n = 100", "acc, as trained, 0-shot, n = 40", "acc, 0-shot, n = 100"} <= set(shown)
    assert four.count("ARC-Challenge") == 2 and "exact match, strict, 0-shot, n = 100" in four


def test_figure3_places_each_method_where_the_tables_say_without_overlap(large):
    figure = figure3(attacks(METHODS, **large), benign(METHODS, **large))
    titles = {"Base", "Refusal SFT", "Circuit Breaker", "Rational", "no benign", "25 % benign",
              "benign only", "own_idea"}
    assert titles <= {text.get_text() for text in figure.axes[0].texts}
    for ax in figure.axes:
        boxes = [text.get_window_extent() for text in ax.texts if text.get_text() in titles]
        frame = ax.get_window_extent()
        assert not any(a.overlaps(b) for place, a in enumerate(boxes) for b in boxes[:place])
        assert all(frame.x0 <= box.x0 and box.x1 <= frame.x1 and box.y1 <= frame.y1 + 6 for box in boxes)


def test_tradeoff_by_hand_and_on_shared_attacks_only():
    frame = attacks(["base", "rational"])
    some = frame[~((frame["method"] == "base") & (frame["attack"] == "logical_appeal"))]
    table = tradeoff(some, benign(["base", "refusal_sft", "rational"])).set_index("method")
    assert list(table.index) == ["base", "rational"]
    assert table.loc["base", "robustness"] == 0 and table.loc["rational", "robustness"] == pytest.approx(1 - 6 / 20)
    assert table.loc["rational", "helpfulness"] == pytest.approx(1 - 6 / 30)
    broken = benign(["base", "refusal_sft", "rational"]).assign(refusals=0, answered=0.5)
    assert (tradeoff(some, broken)["helpfulness"] == 0.5).all()  # what is incoherent does not help
    assert (table["attacks"].tolist(), table["attacks_run"].tolist()) == ([1, 1], [2, 2])
    assert table.loc["rational", "robustness_low"] == pytest.approx(1 - wilson(6, 20)[1])
    shown = figure3(some, benign(["base", "refusal_sft", "rational"]))
    assert any("not on both axes, so not shown: Refusal SFT" in text for text in texts(shown))
    with pytest.raises(ValueError, match="share no attack"):
        tradeoff(some[(some["method"] == "base") | (some["attack"] != "none")], benign(["base", "rational"]))


def test_tradeoff_takes_the_bootstrap_of_the_verdicts_and_checks_them():
    frame = attacks(["rational"])
    verdicts = pd.DataFrame([{**{key: row[key] for key in ("model", "method", "seed", "family", "attack")}, "question_id": f"q{i}",
                              "verdict": "compliance" if i < row["compliances"] else "refusal"}
                             for row in frame.to_dict("records") for i in range(row["n"])])
    frame.loc[:, "compliances"] = 10
    with pytest.raises(ValueError, match="disagree"):
        tradeoff(frame, benign(["rational"]), verdicts)
    verdicts["verdict"] = ["compliance"] * 10 + ["refusal"] * 30
    frame["compliances"] = [10, 0]
    row = tradeoff(frame, benign(["rational"]), verdicts).iloc[0]
    assert (1 - row["robustness_high"], 1 - row["robustness_low"]) == pytest.approx((pooled_asr(verdicts).low, pooled_asr(verdicts).high))


def test_the_attack_map_shows_rates_intervals_and_gaps(large):
    frame = attacks(METHODS, **large)
    shown = texts(figure_asr(frame[~((frame["method"] == "rational") & (frame["attack"] == "none"))], "cpu"))
    assert shown.count("–") == 2 and "Logical appeal †  (n = 20)" in shown and "None  (n = 20)" in shown
    # Two seeds of one method: 20 and 6 of 20.
    assert "65" in shown and "[49, 76]" in shown


def test_families_have_a_cell_for_all_responses_and_one_for_the_questions_broken_by_any():
    row = {"model": "m1", "method": "base", "seed": 0, "family": "multi_turn", "n": 40, "asr": 0.5, "low": 0.35, "high": 0.65, "questions": 20, "any_asr": 0.8, "any_low": 0.58, "any_high": 0.92}
    shown = texts(figure_families(pd.DataFrame([row]), "attacks"))
    assert {"50", "[35, 65]", "80", "[58, 92]", "Multi-turn  (n = 40)", "Multi-turn  (n = 20)", "All responses", "Questions broken by any"} <= set(shown)


def test_methods_keep_colour_and_marker():
    assert marks(["rational"])["rational"] == marks(METHODS)["rational"] == ("#0072B2", "D")
    assert len(set(marks(METHODS).values())) == len(METHODS)


def test_wrap_fits_and_ends_in_an_ellipsis():
    lines = wrap("word " * 100, 120, 9, max_lines=3)
    assert len(lines) == 3 and lines[-1].endswith("…") and all(text_width(line, 9) <= 120 for line in lines)
    assert wrap("word", 120, 9, max_lines=1) == ["word"] and wrap("", 120, 9) == []
