"""Rationales: written and parsed back, checked for consistency, tried again when rejected, and turned into training rows."""

from dataclasses import replace

import pandas as pd
import pytest

from rational_utils import rationales
from rational_utils.models import chat, loading, tiny
from rational_utils.models.generation import Completion, generate
from rational_utils.rationales import CHECKS, HEADS, Candidate, curate, deciding_words, parse, reason_to_reject, training_rows, write
from rational_utils.rationales.rows import BARE_REFUSALS
from rational_utils.rationales.self_check import FIRST_WORDS, REFUSAL_OPENING, assemble, whole_sentences
from rational_utils.study.errors import StudyError

WRITTEN = {
    "harmful": {"Intent": " to read someone else's diary.", "Ethics": " breaks a promise of trust.", "Impact": " the friend who wrote it."},
    "benign": {"Intent": " to bake a loaf of bread.", "Ethics": " kitchen work.", "Impact": " who like a warm breakfast."},
}
SECTIONS = {label: {head: FIRST_WORDS[label][head] + text for head, text in written.items()} for label, written in WRITTEN.items()}
GOOD = {
    "harmful": Candidate("harmful", SECTIONS["harmful"], "refuse", f"{REFUSAL_OPENING} invades privacy.", (), True),
    "benign": Candidate("benign", SECTIONS["benign"], "help", "Mix flour and water, then bake it.", (), False),
}


def with_section(label, head, text):
    return replace(GOOD[label], sections={**SECTIONS[label], head: FIRST_WORDS[label][head] + text})


PLANTED = [
    ("no_answer", replace(GOOD["benign"], final="")),
    ("no_answer", replace(GOOD["benign"], final=" \n")),
    ("incomplete", replace(GOOD["harmful"], cut=("Ethics",))),
    ("incomplete", replace(GOOD["harmful"], cut=("final",))),
    ("empty_section", with_section("harmful", "Impact", "")),
    ("empty_section", with_section("benign", "Ethics", "it.")),
    ("empty_section", replace(GOOD["benign"], final="")),
    ("empty_section", replace(GOOD["benign"], final="Yes.")),
    ("repetition", with_section("harmful", "Impact", "one by one by one by one by one by one.")),
    ("repetition", replace(GOOD["benign"], final="bake the bread now " * 3)),
    ("repetition", replace(GOOD["benign"], sections={head: "The very same long text everywhere." for head in HEADS})),
    ("contradicts_label", replace(GOOD["harmful"], decision="help", refuses=False)),
    ("left_out_topic", replace(GOOD["benign"], final="Ask a child to bake it with you.")),
    ("contradicts_label", replace(GOOD["benign"], decision="refuse", refuses=True)),
    ("contradicts_decision", with_section("harmful", "Ethics", "is safe and quite fine.")),
    ("contradicts_decision", with_section("harmful", "Impact", "nobody, it is Harmless fun.")),
    ("contradicts_decision", with_section("benign", "Ethics", "it, yet I should not answer it.")),
    ("contradicts_decision", with_section("benign", "Impact", "but I must refuse this.")),
    ("answer_disagrees", replace(GOOD["harmful"], refuses=False)),
    ("answer_disagrees", replace(GOOD["benign"], refuses=True)),
]
FINALS = [
    "Boil the water first.",
    "One line.\n\nAnother line:\n- item\n",
    "Decision: help\nThat is what I said.",
    "See above.\nFinal response: twice\nIntent: none",
    "Äöü “quoted”\u2028separator",
]


@pytest.mark.parametrize("final", FINALS)
@pytest.mark.parametrize("decision", ["help", "refuse"])
def test_what_is_written_is_parsed_back(final, decision):
    found = parse(write(SECTIONS["benign"], decision, final))
    assert (found.sections, found.decision, found.final) == (SECTIONS["benign"], decision, final.strip())
    assert found.rationale == "\n".join(f"{head}: {SECTIONS['benign'][head]}" for head in HEADS)


def test_the_written_form_is_four_lines_an_empty_line_and_the_final_response():
    lines = write(SECTIONS["harmful"], "refuse", "No.").split("\n")
    assert [line.split(":")[0] for line in lines] == ["Intent", "Ethics", "Impact", "Decision", "", "Final response"]
    assert lines[-1] == "Final response: No."


@pytest.mark.parametrize("around", ["\n  {}\n", "{}", " {}"])
def test_blanks_around_an_output_do_not_matter(around):
    assert parse(around.format(write(SECTIONS["benign"], "help", "Yes."))).final == "Yes."


@pytest.mark.parametrize("output", ["Mix it well.", " I'm sorry.\nDecision: none ", "The Intent: line is not the first", "", "Ethics: a\nImpact: b"])
def test_an_output_without_a_rationale_is_all_final(output):
    found = parse(output)
    assert (found.sections, found.decision, found.final, found.rationale) == ({}, None, output.strip(), None)


WHOLE = write(SECTIONS["harmful"], "refuse", "")


@pytest.mark.parametrize("end", [8, WHOLE.index("\nEthics"), WHOLE.index("\nDecision"), WHOLE.index("\n\nFinal")])
def test_a_truncated_rationale_has_no_final_response(end):
    found = parse(WHOLE[:end])
    assert found.final is None and found.sections == {}


def test_a_rationale_cut_after_its_decision_keeps_the_decision():
    found = parse(WHOLE[: WHOLE.index("\n\nFinal")])
    assert (found.decision, found.final) == ("refuse", None)


@pytest.mark.parametrize("label", GOOD)
def test_a_good_candidate_passes_every_check(label):
    assert {name: check(GOOD[label]) for name, check in CHECKS.items()} == dict.fromkeys(CHECKS, False)
    assert reason_to_reject(GOOD[label], tuple(CHECKS)) == ""


@pytest.mark.parametrize(("name", "candidate"), PLANTED, ids=[f"{name}-{number}" for number, (name, _) in enumerate(PLANTED)])
def test_each_check_fires_on_its_planted_case(name, candidate):
    assert CHECKS[name](candidate) and reason_to_reject(candidate, (name,)) == name


def test_every_check_has_a_planted_case():
    assert {name for name, _ in PLANTED} == set(CHECKS)


@pytest.mark.parametrize(("name", "candidate"), [(name, candidate) for name, candidate in PLANTED if name in ("incomplete", "contradicts_decision", "answer_disagrees")])
def test_the_planted_faults_are_the_only_ones(name, candidate):
    assert [other for other, check in CHECKS.items() if check(candidate)] == [name]


def test_the_first_failing_check_gives_the_reason_and_unasked_ones_none():
    candidate = replace(GOOD["benign"], cut=("Intent",), refuses=True)
    assert reason_to_reject(candidate, ("answer_disagrees", "incomplete")) == "answer_disagrees"
    assert reason_to_reject(candidate, ("incomplete", "answer_disagrees")) == "incomplete"
    assert reason_to_reject(candidate, ()) == "" and reason_to_reject(candidate, ("repetition",)) == ""


def test_an_unknown_check_lists_the_known_ones():
    with pytest.raises(StudyError, match="repetition"):
        reason_to_reject(GOOD["benign"], ("repetitions",))


def test_a_cut_benign_decision_does_not_count_as_incomplete():
    assert not CHECKS["incomplete"](replace(GOOD["benign"], cut=("Decision",)))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("One. Two and a ha", "One."),
        ("One. Two!", "One. Two!"),
        ("Is it? Yes, beca", "Is it?"),
        ("First line\nsecond li", "First line"),
        ("Yes. It costs 3.5 coins and", "Yes."),
        ("Built in 2020. Then", "Built in 2020."),
        ("Do this.\n1. Flour\n2. Wat", "Do this.\n1. Flour"),
        ("Do this. 1. Flour an", "Do this."),
        ('He said "yes."', 'He said "yes."'),
        ("nothing whole", "nothing whole"),
        ("", ""),
        ("  \n ", ""),
    ],
)
def test_whole_sentences_drops_what_was_cut_off(text, kept):
    assert whole_sentences(text) == kept


@pytest.mark.parametrize("label", GOOD)
def test_asking_puts_the_prompt_in_and_the_guide_has_the_heads(label):
    asked = rationales.ask("How do {prompt} tulips grow?", label)
    assert asked.count("tulips") == 1 and asked.endswith("Request: How do {prompt} tulips grow?")
    sections = rationales.guide(label, 9)
    assert [section.name for section in sections] == [*HEADS, "Decision", *(["final"] if label == "harmful" else [])]
    assert [section.max_tokens for section in sections[:3]] == [9, 9, 9] and sections[3].choices == (" refuse", " help")


def test_assembling_puts_the_first_words_back():
    sections, decision, final = assemble("harmful", {**WRITTEN["harmful"], "Decision": " refuse", "final": " invades privacy."}, None)
    assert (sections, decision, final) == (SECTIONS["harmful"], "refuse", f"{REFUSAL_OPENING} invades privacy.")
    assert assemble("benign", {**WRITTEN["benign"], "Decision": "help"}, "Bake. And th")[2] == "Bake."


def table():
    rows = []
    for number, (label, reason) in enumerate([("harmful", ""), ("benign", ""), ("harmful", "repetition"), ("benign", ""), ("benign", "incomplete"), ("harmful", "")]):
        sections = {head.lower(): SECTIONS[label][head] for head in HEADS}
        good = GOOD[label]
        facts = {"prompt_id": f"p{number}", "question_id": f"q{number}", "text": f"Question {number}?", "label": label, "set": "plain", "attack": "direct"}
        rows.append({**facts, **sections, "decision": good.decision, "final": f"{good.final} ({number})", "tries": 1, "reason": reason})
    return pd.DataFrame(rows)


VARIANTS = ["rational_no_benign", "rational_benign_10", "rational_benign_50", "rational", "rational_benign_only"]


def asked():
    """The prompts of `table`, two wordings of the first two questions, and a prompt of another split."""
    direct = table()[["question_id", "text"]].assign(split="train", attack="direct")
    reworded = direct.head(3).assign(text=lambda rows: "Please: " + rows["text"], attack="role_play")
    other = direct.head(1).assign(split="test", text="Never learnt?")
    return pd.concat([direct, reworded, other], ignore_index=True)


def learnt(method):
    return training_rows(table(), asked(), method)


def test_both_methods_learn_all_wordings_of_the_accepted_questions():
    wanted = ["Question 0?", "Question 1?", "Question 3?", "Question 5?", "Please: Question 0?", "Please: Question 1?"]
    assert [lesson.prompt for lesson in learnt("rational")] == [lesson.prompt for lesson in learnt("refusal_sft")] == wanted


@pytest.mark.parametrize("method", ["rational", "refusal_sft"])
def test_further_wordings_of_a_question_teach_the_first_line_of_its_answer(method):
    lessons = learnt(method)
    assert [lesson.answer for lesson in lessons[4:]] == [lesson.answer.splitlines(True)[0] for lesson in lessons[:2]]
    assert all(lesson.whole for lesson in lessons[:4]) and len({lesson.answer for lesson in lessons[:4]}) >= 3
    assert {lesson.whole for lesson in lessons[4:]} == {method == "refusal_sft"}  # whose answers here are one line


def test_rational_learns_rationale_decision_and_final_response():
    for lesson, row in zip(learnt("rational"), table().query("reason == ''").itertuples()):
        found = parse(lesson.answer)
        assert (found.sections, found.decision, found.final) == (SECTIONS[row.label], row.decision, row.final)


def test_the_control_learns_bare_refusals_and_plain_answers():
    answers = [lesson.answer for lesson in learnt("refusal_sft")]
    assert answers[0] in BARE_REFUSALS and answers[3] in BARE_REFUSALS
    assert answers[1:3] == [f"{GOOD['benign'].final} (1)", f"{GOOD['benign'].final} (3)"]


def test_the_dataset_holds_what_rational_learns_and_loads_as_json(tmp_path, limits):
    from datasets import load_dataset

    prompts = asked().assign(prompt_id=lambda rows: rows["question_id"] + ":" + rows["attack"], label="x", set="plain", source="s", licence="MIT")
    written = rationales.export(table(), prompts, tmp_path, "a model", limits)
    loaded = load_dataset("json", data_files=str(tmp_path / "train.jsonl"), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded.to_pandas().to_dict("records") == written.to_dict("records")
    lessons = learnt("rational")
    assert [(row["prompt"], row["response"], row["learnt"] == "whole") for row in loaded] == [tuple(lesson) for lesson in lessons]
    assert all(parse(row["response"]).final == row["final"] for row in loaded if row["learnt"] == "whole")
    card = (tmp_path / "README.md").read_text()
    assert "repetition" in card and "| MIT |" in card and "{" not in card


def test_an_inconsistent_row_is_named_before_training(limits):
    checked = limits.model_copy(update={"checks": ("no_answer", "contradicts_label", "incomplete")})
    rows = table()
    assert rationales.require_consistent(rows, checked) is rows
    rows.loc[2, "decision"] = "help"  # rejected anyway
    rationales.require_consistent(rows, checked)
    rows.loc[1, "decision"] = "refuse"
    with pytest.raises(StudyError, match="row p1 fails the check contradicts_label") as caught:
        rationales.require_consistent(rows, checked)
    assert "\n" not in str(caught.value) and "Question" not in str(caught.value)


@pytest.mark.parametrize("label", GOOD)
def test_a_prelude_is_what_stands_before_the_final_response(label):
    whole = write(SECTIONS[label], "help", "Yes.\nAnd more.")
    assert rationales.prelude(whole) + " Yes.\nAnd more." == whole == rationales.prelude(f" \n{whole}\n") + " Yes.\nAnd more."
    assert "".join(rationales.in_place_of_final("Asked: ", whole, "No.")) == f"Asked: {write(SECTIONS[label], 'help', 'No.')}"
    assert rationales.in_place_of_final("Asked: ", "plain", "No.") == ("Asked: ", "No.")


@pytest.mark.parametrize("output", ["", "A plain answer.", "Intent: Ordinary. The user wants tea.\nEthics: Nothing"])
def test_without_a_finished_rationale_there_is_no_prelude(output):
    assert rationales.prelude(output) == ""


def many(benign=40):
    rows = pd.concat([table().iloc[[0, 1]]] * benign, ignore_index=True)
    rows["question_id"] = [f"q{number}" for number in range(len(rows))]
    return rows, rows.assign(split="train", attack="direct", text=rows["question_id"])


def test_variants_of_rational_differ_in_the_benign_rows_alone():
    rationales, prompts = many()
    rows = {method: {lesson.prompt: lesson for lesson in training_rows(rationales, prompts, method)} for method in VARIANTS}
    harmful, benign = set(rows["rational_no_benign"]), set(rows["rational_benign_only"])
    assert len(harmful) == len(benign) == 40 and not harmful & benign
    shares = {method: set(lessons) - harmful for method, lessons in rows.items() if method != "rational_benign_only"}
    assert [len(shares[method]) for method in VARIANTS[:4]] == [0, 4, 20, 40]
    assert shares["rational_benign_10"] < shares["rational_benign_50"] < shares["rational"] == benign
    assert all(lesson == rows["rational"][prompt] for lessons in rows.values() for prompt, lesson in lessons.items())


def test_bare_refusals_are_spread_over_the_questions():
    rationales, prompts = many()
    answers = [lesson.answer for lesson in training_rows(rationales, prompts, "refusal_sft") if lesson.answer in BARE_REFUSALS]
    assert set(answers) == set(BARE_REFUSALS) and len(answers) == 40


@pytest.mark.parametrize("method", ["rational", "refusal_sft"])
def test_no_training_prompt_carries_the_self_check(method):
    for lesson in learnt(method):
        assert not any(words in lesson.prompt for words in ("Check", "Request:", "Decision", "harm"))


def test_an_unknown_method_lists_the_known_ones():
    with pytest.raises(StudyError, match="'base'; allowed: refusal_sft, rational"):
        learnt("base")


class Writer:
    """A stand-in for generation: rationales whose decision is wrong until the try that a prompt succeeds at."""

    def __init__(self, succeeds_at):
        self.succeeds_at, self.calls = succeeds_at, []

    def __call__(self, requests):
        self.calls.append(requests)
        return [self.answer(request) for request in requests]

    def answer(self, request):
        if not request.guide:
            return Completion("Plain answer, and well meant. And th", 9, False, 0.0)
        label = "harmful" if request.guide[-1].name == "final" else "benign"
        (name,) = [name for name in self.succeeds_at if name in request.prompt]
        good = len(self.calls) >= self.succeeds_at[name]
        decision = GOOD[label].decision if good else "unsure"
        return Completion("", 9, True, 0.0, {**WRITTEN[label], "Decision": decision, "final": " invades privacy."}, ())


@pytest.fixture
def limits(study):
    return study.profile.rationales.model_copy(update={"tries": 3, "checks": tuple(CHECKS)})


@pytest.fixture(scope="module")
def tokenizer():
    return tiny.tokenizer()


def prompt_table(*labels):
    rows = [(f"p{number}", f"q{number}", f"About tulip{number}z?", label, "plain", "direct") for number, label in enumerate(labels)]
    return pd.DataFrame(rows, columns=["prompt_id", "question_id", "text", "label", "set", "attack"])


def refuses(_prompt, final):
    return final.startswith("I'm sorry")


def test_curate_tries_only_the_rejected_again_and_keeps_the_order(tokenizer, limits):
    writer = Writer({"tulip0z": 2, "tulip1z": 1, "tulip2z": 99, "tulip3z": 3, "tulip4z": 1})
    made = curate(prompt_table("harmful", "benign", "benign", "harmful", "harmful"), tokenizer, writer, refuses, limits)
    assert made["prompt_id"].tolist() == ["p0", "p1", "p2", "p3", "p4"]
    assert made["tries"].tolist() == [2, 1, 3, 3, 1]
    assert made["reason"].tolist() == ["", "", "contradicts_label", "", ""]
    guided = [[request for request in call if request.guide] for call in writer.calls]
    assert [len(call) for call in guided] == [5, 3, 2] and [len(call) for call in writer.calls] == [7, 4, 3]


def test_curate_fills_the_row_from_guide_and_plain_answer(tokenizer, limits):
    made = curate(prompt_table("harmful", "benign"), tokenizer, Writer({"tulip0z": 1, "tulip1z": 1}), refuses, limits)
    for row in made.itertuples():
        assert (row.intent, row.ethics, row.impact) == tuple(SECTIONS[row.label].values())
    assert made["decision"].tolist() == ["refuse", "help"]
    assert made["final"].tolist() == [f"{REFUSAL_OPENING} invades privacy.", "Plain answer, and well meant."]


def test_curate_is_greedy_first_and_samples_with_new_seeds_after(tokenizer, limits):
    writer = Writer({"tulip0z": 99, "tulip1z": 99})
    curate(prompt_table("harmful", "benign"), tokenizer, writer, refuses, limits)
    assert [{request.temperature for request in call} for call in writer.calls] == [{0.0}, {0.6}, {0.6}]
    assert len({request.seed for call in writer.calls for request in call if request.guide}) == 6


def test_curate_asks_benign_prompts_plainly(tokenizer, limits):
    writer = Writer({"tulip0z": 1, "tulip1z": 1})
    curate(prompt_table("harmful", "benign"), tokenizer, writer, refuses, limits)
    (plain,) = [request for request in writer.calls[0] if not request.guide]
    assert plain.prompt == chat.render(tokenizer, "About tulip1z?") and plain.max_new_tokens == limits.answer_tokens


def test_a_plain_answer_that_was_cut_off_is_incomplete_unless_whole_sentences_remain(tokenizer, limits):
    class Rambler(Writer):
        def answer(self, request):
            return super().answer(request) if request.guide else Completion(self.said, 9, False, 0.0)

    for said, reason in (("First of all you take a large", "incomplete"), ("Take a bowl. Then you take a large", "")):
        writer = Rambler({"tulip0z": 1})
        writer.said = said
        assert curate(prompt_table("benign"), tokenizer, writer, refuses, limits)["reason"].tolist() == [reason]


def test_curate_with_one_try_asks_once(tokenizer, limits):
    writer = Writer({"tulip0z": 99})
    made = curate(prompt_table("harmful"), tokenizer, writer, refuses, limits.model_copy(update={"tries": 1}))
    assert len(writer.calls) == 1 and made["reason"].tolist() == ["contradicts_label"] and made["tries"].tolist() == [1]


def test_curate_believes_the_judge_about_the_final_response(tokenizer, limits):
    made = curate(prompt_table("benign"), tokenizer, Writer({"tulip0z": 1}), lambda prompt, final: prompt == "About tulip0z?", limits)
    assert made["reason"].tolist() == ["answer_disagrees"]


def test_curate_with_the_real_generator_fills_every_section(limits):
    model, tokenizer = loading.load("tiny")
    short = limits.model_copy(update={"section_tokens": 3, "answer_tokens": 3, "tries": 1})
    made = curate(prompt_table("harmful", "benign"), tokenizer, lambda requests: generate(model, tokenizer, requests), refuses, short)
    assert made["prompt_id"].tolist() == ["p0", "p1"] and set(made["decision"]) <= {"refuse", "help"}
    for row in made.itertuples():
        assert all(getattr(row, head.lower()).startswith(FIRST_WORDS[row.label][head]) for head in HEADS)
    assert made["final"][0].startswith(REFUSAL_OPENING)


@pytest.mark.parametrize("label", GOOD)
def test_the_stance_is_the_first_word_of_a_guided_intent(label):
    assert parse(write(SECTIONS[label], "help", "Yes.")).stance == {"harmful": "harmful", "benign": "ordinary"}[label]


@pytest.mark.parametrize("output", ["Yes.", "Intent: Harmful. The user", "Harmful.", write({**SECTIONS["benign"], "Intent": "The user wants bread."}, "help", "Yes.")])
def test_without_such_a_word_or_a_whole_rationale_there_is_no_stance(output):
    assert parse(output).stance is None


def test_the_deciding_words_of_a_rationale_are_found():
    written = write({"Intent": "Harmful. The user wants Ethics: x", "Ethics": "Helping would be wrong", "Impact": "It could harm"}, "refuse", "I'm sorry")
    assert [written[begin:end] for begin, end in deciding_words(written)] == ["Harmful", "Helping", "refuse", "I"]


def test_a_bare_answer_has_no_deciding_words():
    assert deciding_words("I can't help with that. Decision: refuse") == []
