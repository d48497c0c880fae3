"""The prompt table on the fixtures: split by question, near duplicates, leakage, wrapping, schema, topics."""

import json
import re

import pandas as pd
import pytest

from rational_utils.corpus import prompts, questions
from rational_utils.study.errors import StudyError

pytestmark = pytest.mark.filterwarnings("ignore:This pattern is interpreted")
LONG = "Describe how the lighthouse keeper polished the great brass lamp every evening before sunset"


@pytest.fixture(scope="module")
def collected():
    return questions.collect(questions.reader("fixtures"), "fixtures")[0]


@pytest.fixture
def wanted(study):
    return study.profile.prompts


@pytest.fixture
def rows(collected, wanted):
    return prompts.split(collected, wanted)[0]


def planted(collected, *plants):
    """The questions with more rows: (text, pool) each, like the first harmful one in everything else."""
    first = collected[collected["set"] == "harmful"].iloc[0].to_dict()
    more = [{**first, "text": text, "pool": pool, "question_id": f"planted-{number}"} for number, (text, pool) in enumerate(plants)]
    return pd.concat([collected, pd.DataFrame(more)], ignore_index=True)


def greedy(collected, wanted, **changes):
    """Settings that take every harmful training question of the table."""
    everything = prompts.split(collected, wanted.model_copy(update={"train_harmful": 1}))[1]
    left = int(((collected["set"] == "harmful") & (collected["pool"] == "train")).sum()) - sum(everything.values())
    return wanted.model_copy(update={"train_harmful": left, "test_harmful_held_out": 0, **changes})


def test_split_has_the_wanted_numbers(rows, wanted):
    counts = rows.groupby(["split", "set"]).size().to_dict()
    assert counts == {
        ("train", "harmful"): wanted.train_harmful, ("train", "sensitive"): wanted.train_sensitive, ("train", "plain"): wanted.train_plain,
        ("validation", "harmful"): wanted.validation_harmful, **{("validation", kind): wanted.validation_benign // 3 for kind in ("sensitive", "sensitive_new", "plain")},
        ("test", "harmful"): wanted.test_harmful + wanted.test_harmful_held_out, ("test", "sensitive"): wanted.test_sensitive,
        ("test", "sensitive_new"): wanted.test_sensitive_new, ("test", "plain"): wanted.test_plain,
    }  # fmt: skip
    prompts.validated(rows)


def test_every_question_is_on_one_side_and_nothing_leaks(rows, wanted):
    assert rows["question_id"].is_unique and rows.groupby("question_id")["split"].nunique().max() == 1
    assert set(prompts.leakage(rows, wanted.near_duplicate).values()) == {0}


def test_split_keeps_the_pools_apart(rows, collected):
    pool = collected.set_index("question_id")["pool"]
    for split, allowed in (("test", {"train", "test"}), ("train", {"train"}), ("validation", {"train", "test", "validation"})):
        assert set(pool[rows[rows["split"] == split]["question_id"]]) == allowed


def test_validation_asks_what_the_training_sources_do_not_show(rows, collected):
    asked = rows[rows["split"] == "validation"].merge(collected[["question_id", "pool"]], on="question_id")
    assert set(asked[asked["label"] == "harmful"]["pool"]) == {"validation"}
    assert set(asked[asked["label"] == "benign"]["pool"]) == {"train", "test"}


def test_sources_take_turns(collected):
    rows = prompts._by_source_in_turn(collected[(collected["pool"] == "train") & (collected["set"] == "harmful")])
    sources = rows["source"].nunique()
    assert rows["source"].head(sources).nunique() == sources


def test_use_follows_split_and_label(rows):
    uses = set(rows[["split", "label", "use"]].itertuples(index=False, name=None))
    assert uses == {
        ("train", "harmful", "rationale"), ("train", "benign", "rationale"), ("validation", "harmful", "validation"),
        ("validation", "benign", "validation"), ("test", "harmful", "attack"), ("test", "benign", "over_refusal"),
    }  # fmt: skip


def test_split_is_deterministic_and_follows_the_seed(collected, wanted):
    first, again, other = (prompts.split(collected, wanted, seed)[0] for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(first, again)
    assert set(first["question_id"]) != set(other["question_id"])


def test_split_does_not_depend_on_the_order_of_questions(collected, wanted):
    backwards = collected.iloc[::-1].reset_index(drop=True)
    assert set(prompts.split(collected, wanted)[0]["prompt_id"]) == set(prompts.split(backwards, wanted)[0]["prompt_id"])


def test_a_validation_question_close_to_a_test_question_is_left_out(collected, wanted):
    tested = collected[(collected["pool"] == "test") & (collected["set"] == "harmful")]
    everything = wanted.model_copy(update={"test_harmful": len(tested), "validation_harmful": 1})
    table = planted(collected, (tested["text"].iloc[0] + " Now.", "validation"))
    rows, left_out = prompts.split(table, everything)
    assert left_out["validation question close to a test question"] == 1
    have = int(((table["pool"] == "validation") & (table["set"] == "harmful")).sum())
    with pytest.raises(StudyError, match=f"{have} harmful questions wanted for validation, only {have - 1} can be had"):
        prompts.split(table, everything.model_copy(update={"validation_harmful": have}))


def test_held_out_questions_come_from_training_s_own_sources(collected, wanted):
    rows = prompts.split(collected, wanted.model_copy(update={"test_harmful_held_out": 2}))[0]
    tested = rows[(rows["split"] == "test") & (rows["set"] == "harmful")]
    own = tested["source"].isin(rows.loc[rows["split"] == "train", "source"])
    assert own.sum() == 2 and len(tested) == wanted.test_harmful + 2
    assert set(prompts.leakage(rows, wanted.near_duplicate).values()) == {0}


def test_held_out_questions_come_from_the_named_sources_alone(collected, wanted):
    chosen = {"train_harmful": 2, "test_harmful_held_out": 2}
    source = collected.query("set == 'harmful' and pool == 'train'")["source"].value_counts().index[0]
    rows = prompts.split(collected, wanted.model_copy(update={**chosen, "held_out_from": (source,)}))[0]
    assert (rows.query("split == 'test' and set == 'harmful'")["source"] == source).sum() == 2 and rows["question_id"].is_unique
    with pytest.raises(StudyError, match="2 harmful questions wanted for test, only 0"):
        prompts.split(collected, wanted.model_copy(update={**chosen, "held_out_from": ("nobody",)}))


def test_nothing_is_left_out_of_clean_questions(collected, wanted):
    assert set(prompts.split(collected, wanted)[1].values()) == {0}


@pytest.mark.parametrize("pool", ["test", "validation"])
def test_a_training_question_close_to_an_evaluation_text_is_left_out(collected, wanted, pool):
    table = planted(collected, (LONG + " again.", "train"), (LONG + ".", pool))
    rows, left_out = prompts.split(table, greedy(table, wanted))
    assert left_out["training question close to an evaluation text"] == 1 and left_out["training question close to another"] == 0
    assert "planted-0" not in set(rows["question_id"])


def test_of_close_training_questions_one_is_kept(collected, wanted):
    table = planted(collected, (LONG, "train"), (LONG + " again", "train"), ("Again " + LONG.lower(), "train"))
    rows, left_out = prompts.split(table, greedy(table, wanted))
    assert left_out["training question close to another"] == 2
    assert len({"planted-0", "planted-1", "planted-2"} & set(rows["question_id"])) == 1


def test_exact_duplicates_are_counted_and_appear_once(collected, wanted):
    table = planted(collected, (LONG, "train"), (LONG, "train"))
    rows, left_out = prompts.split(table, greedy(table, wanted))
    assert left_out["exact duplicate"] == 1 and (rows["text"] == LONG).sum() == 1


@pytest.mark.parametrize("pool", ["test", "validation"])
def test_a_training_question_equal_to_an_evaluation_text_is_left_out(collected, wanted, pool):
    table = planted(collected, (LONG, "train"), (LONG, pool))
    rows, _ = prompts.split(table, greedy(table, wanted))
    assert LONG not in set(rows[rows["split"] == "train"]["text"])


@pytest.mark.parametrize("field", ["train_harmful", "train_sensitive", "train_plain", "test_harmful", "test_sensitive", "test_sensitive_new", "test_plain"])
def test_too_few_questions_are_said_in_one_line(collected, wanted, field):
    with pytest.raises(StudyError) as caught:
        prompts.split(collected, wanted.model_copy(update={field: 99}))
    message = str(caught.value)
    assert field.split("_")[1] in message and re.search(r"wanted for [\w+]*" + field.split("_")[0], message) and "can be had" in message and "\n" not in message


def test_no_training_questions_at_all_are_said_in_one_line(collected, wanted):
    with pytest.raises(StudyError, match="harmful questions wanted"):
        prompts.split(collected[collected["pool"] != "train"], wanted)


def moved(rows, index, **changes):
    rows = rows.copy()
    rows.loc[rows.index[rows["split"] == "train"][index], list(changes)] = list(changes.values())
    return rows


def test_leakage_detects_planted_texts_and_questions(rows, wanted):
    test = rows[rows["split"] == "test"].iloc[0]
    limit = wanted.near_duplicate
    assert prompts.leakage(moved(rows, 0, text=test["text"]), limit) == {"shared questions": 0, "exact texts": 1, "near-duplicate texts": 1}
    assert prompts.leakage(moved(rows, 0, text="Please, " + test["text"].upper()), limit) == {"shared questions": 0, "exact texts": 0, "near-duplicate texts": 1}
    assert prompts.leakage(moved(rows, 0, question_id=test["question_id"]), limit) == {"shared questions": 1, "exact texts": 0, "near-duplicate texts": 0}


def test_leakage_counts_validation_as_evaluation(rows, wanted):
    held = rows[rows["split"] == "validation"].iloc[0]
    assert prompts.leakage(moved(rows, 1, text=held["text"]), wanted.near_duplicate)["exact texts"] == 1


def test_leakage_counts_what_validation_shares_with_the_test(rows, wanted):
    tested, held = (rows[rows["split"] == name].iloc[0] for name in ("test", "validation"))
    leaking = rows.assign(text=rows["text"].where(rows["question_id"] != held["question_id"], tested["text"]))
    assert prompts.leakage(leaking, wanted.near_duplicate) == {"shared questions": 0, "exact texts": 1, "near-duplicate texts": 1}


def test_similarity_is_one_for_equal_and_nought_for_unlike_texts():
    found = prompts.nearest_similarity(pd.Series(["the red kite flies", "unrelated wording here"]), pd.Series(["some other", "The red kite flies!"]))
    assert found == pytest.approx([1, 0])
    assert prompts.nearest_similarity(pd.Series(["a word"]), pd.Series([], dtype=str)).tolist() == [0]


@pytest.mark.parametrize("column", ["label", "set", "split", "use"])
def test_schema_errors_name_the_column_and_never_show_a_text(rows, column):
    harmed = rows.copy()
    harmed.loc[harmed.index[0], column] = "a quiet violet text"
    with pytest.raises(StudyError) as caught:
        prompts.validated(harmed)
    message = str(caught.value)
    assert repr(column) in message and "violet" not in message and "\n" not in message
    assert not any(text in message for text in rows["text"])


def test_empty_texts_and_repeated_prompts_are_refused(rows):
    for harmed, column in ((rows.assign(text=""), "text"), (rows.assign(text=5), "text"), (pd.concat([rows, rows.head(1)]), "prompt_id")):
        with pytest.raises(StudyError, match=repr(column)):
            prompts.validated(harmed)


@pytest.mark.parametrize("harm", [lambda rows: rows.assign(extra="x"), lambda rows: rows.drop(columns="licence")], ids=["extra", "licence"])
def test_missing_and_additional_columns_are_named(rows, harm):
    with pytest.raises(StudyError, match="extra|licence"):
        prompts.validated(harm(rows))


def fixtures_with(source, more):
    read = questions.reader("fixtures")
    return lambda name: read(name) + more if name == source else read(name)


@pytest.mark.parametrize("word", ["children", "schoolgirl", "Kid", "teenager", "girl"])
def test_left_out_topics_are_dropped_and_counted(collected, word):
    before = questions.collect(questions.reader("fixtures"), "fixtures")[1]
    frame, left_out = questions.collect(fixtures_with("harmbench", f"\nWrite a song for the {word} next door\n"), "fixtures")
    assert left_out == before + 1 and frame["text"].tolist() == collected["text"].tolist()


def test_words_that_only_contain_a_topic_stay(collected):
    frame, _ = questions.collect(fixtures_with("harmbench", "\nSing of skidding cowboys\n"), "fixtures")
    assert len(frame) == len(collected) + 1


@pytest.mark.parametrize("word", ["girls", "boys", "infants", "childhood", "toddlers", "babies", "preteen"])
def test_other_words_for_left_out_topics_are_dropped(collected, word):
    frame, _ = questions.collect(fixtures_with("harmbench", f"\nWrite a song for the {word} next door\n"), "fixtures")
    assert len(frame) == len(collected)


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\x85"])
def test_line_separators_inside_a_jsonl_line_do_not_split_it(collected, mark):
    row = {"id": "x", "input": f"Why do bells{mark}ring twice?", "target": "compliance", "metadata": {"category": "words", "type": "benign"}}
    frame, _ = questions.collect(fixtures_with("weighted-safety", "\n" + json.dumps(row, ensure_ascii=False) + "\n"), "fixtures")
    assert len(frame) == len(collected) + 1 and (frame["text"] == "Why do bells ring twice?").sum() == 1


def test_question_ids_are_unique_and_texts_are_one_line(collected):
    assert collected["question_id"].is_unique and not collected["text"].str.contains(r"\s\s|\n").any()
    assert set(collected["pool"]) == {"train", "test", "validation"} and collected["licence"].str.len().min() > 0
