"""Notebook tables, markers and, above all, that redaction does not leak."""
import hashlib
import re

import pandas as pd
import pytest

from rational_utils.results.display import rate_table, redact, show_samples, update_readme
from rational_utils.results.names import benign_share, in_order, method_title
from rational_utils.study.markdown import to_markdown
from rational_utils.results.statistics import wilson


def attacks(methods=("rational", "base"), models=("m",), seeds=(0,)) -> pd.DataFrame:
    low, high = wilson(5, 40)
    return pd.DataFrame([{"model": model, "method": method, "seed": seed, "attack": attack, "n": 40, "asr": 0.125,
                          "low": low, "high": high}
                         for model in models for method in methods for seed in seeds for attack in ("slang", "gcg")])


def test_rate_table_says_rate_interval_and_n():
    table = rate_table(attacks())
    assert list(table.columns) == ["Base", "Rational"] and list(table.index) == ["slang", "gcg"]
    assert table.loc["gcg", "Rational"] == "12.5 % [5.5, 26.1] (n=40)"


def test_rate_table_with_models_seeds_and_a_gap():
    frame = attacks(models=("m1", "m2"), seeds=(0, 1))
    table = rate_table(frame[~((frame["method"] == "base") & (frame["attack"] == "gcg") & (frame["model"] == "m2"))])
    assert table.loc[("m1", "gcg"), "Base"].endswith("(n=40, 2 seeds)")
    assert table.loc[("m2", "gcg"), "Base"] == "–"


def test_rate_table_of_another_table():
    benign = attacks().rename(columns={"attack": "set", "asr": "over_refusal"})
    assert rate_table(benign, row="set", value="over_refusal").index.name == "set"


def test_methods_are_named_and_ordered():
    methods = ["zeta", "rational_benign_50", "rational", "rational_benign_only", "rational_benign_25", "base", "rational_no_benign"]
    assert in_order(methods) == ["base", "rational", "rational_no_benign", "rational_benign_25", "rational_benign_50",
                                 "rational_benign_only", "zeta"]
    assert method_title("rational_benign_25") == "Rational, 25 % benign" and method_title("zeta") == "zeta"
    assert [benign_share(method) for method in ("rational", "rational_no_benign", "base")] == [100, 0, None]


TEXT = "Alpha bravo charlie delta echo foxtrot golf hotel india juliett kilo lima"


def test_redact_keeps_the_first_words_and_the_hash_of_all():
    digest = hashlib.sha256(TEXT.encode()).hexdigest()[:8]
    assert redact(TEXT) == f"Alpha bravo charlie delta echo… [redacted, sha256 {digest}]"
    assert redact(TEXT, keep=0).startswith("… [redacted")


@pytest.mark.parametrize("text", [
    TEXT, TEXT.replace(" ", "_"), TEXT.replace(" ", "\u200b"), TEXT.replace(" ", "\n"), TEXT.replace(" ", "-"),
    "Alpha bravo", "Alpha", "", "x" * 500, "危险的文字" * 40, "a" * 30 + " " + "b" * 30, "\ud800 lone surrogate here"])
@pytest.mark.parametrize("keep", [0, 1, 5])
def test_redact_never_leaks_more_than_it_may(text, keep):
    head = redact(text, keep).split("…")[0]
    assert len(re.findall(r"[^\W_]+", head)) <= min(keep, len(re.findall(r"[^\W_]+", text)) // 2)
    assert len(head) <= 17 * keep
    assert not text or redact(text, keep) != text


def test_redact_refuses_a_negative_count():
    with pytest.raises(ValueError):
        redact(TEXT, keep=-1)


def test_show_samples_redacts_all_that_is_not_known_to_be_safe():
    frame = pd.DataFrame({"prompt_id": ["p1", "p2", "p3", "p4"], "label": ["harmful", "benign", None, "odd"],
                          "prompt": [TEXT] * 4, "score": [1, 2, 3, 4], "other": [TEXT, TEXT, None, "two words"],
                          "hash": ["0" * 64] * 4, "turns": [[TEXT], [TEXT], [], [TEXT]]})
    shown = show_samples(frame)
    assert shown["prompt"].str.contains("redacted").tolist() == [True, False, True, True]
    assert shown["other"].iloc[1] == TEXT and shown["other"].iloc[3] == "two words"
    assert "redacted" in shown["turns"].iloc[0] and shown["turns"].iloc[1] == [TEXT]
    for column in ("prompt_id", "score", "hash"):
        assert shown[column].tolist() == frame[column].tolist()
    assert frame["prompt"].eq(TEXT).all()


def test_show_samples_by_named_column_spares_no_short_text():
    frame = pd.DataFrame({"label": ["harmful"], "prompt": ["two words"], "topic": [TEXT]})
    shown = show_samples(frame, text_columns_unsafe=["prompt"])
    assert "words" not in shown["prompt"].iloc[0] and shown["topic"].iloc[0] == TEXT


def test_show_samples_without_a_label_shows_nothing():
    with pytest.raises(ValueError, match="no column 'label'"):
        show_samples(pd.DataFrame({"prompt": [TEXT]}))
    with pytest.raises(ValueError, match="no column 'text'"):
        show_samples(pd.DataFrame({"label": ["safe"]}), text_columns_unsafe=["text"])


def test_update_readme_replaces_between_markers_only(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("# T\n<!-- a:begin -->\nold\n<!-- a:end -->\nmid\n<!-- b:begin --><!-- b:end -->\nend\n")
    assert update_readme(readme, {"a": "| new |\n", "b": "x"})
    assert readme.read_text() == "# T\n<!-- a:begin -->\n| new |\n<!-- a:end -->\nmid\n<!-- b:begin -->\nx\n<!-- b:end -->\nend\n"
    assert not update_readme(readme, {"a": "| new |", "b": "x"})


@pytest.mark.parametrize("text", ["<!-- a:begin -->", "<!-- a:end --><!-- a:begin -->", "",
                                  "<!-- a:begin --><!-- a:end --><!-- a:begin -->"])
def test_update_readme_refuses_bad_markers_and_writes_nothing(tmp_path, text):
    readme = tmp_path / "README.md"
    readme.write_text(text)
    with pytest.raises(ValueError, match="README.md"):
        update_readme(readme, {"a": "x"})
    assert readme.read_text() == text


def test_to_markdown():
    frame = pd.DataFrame({"name": ["a|b", "two\nlines"], "value": [0.123456, None], "n": [1, 2]})
    assert to_markdown(frame) == ("| name | value | n |\n| --- | ---: | ---: |\n| a\\|b | 0.1235 | 1 |\n| two lines | – | 2 |\n")
    assert to_markdown(rate_table(attacks())).startswith("| attack | Base | Rational |\n| --- | --- | --- |\n| slang |")
