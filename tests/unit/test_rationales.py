"""Rationales: written and parsed back, and checked for consistency."""

from dataclasses import replace

import pytest
from sample_rationales import GOOD, SECTIONS, WRITTEN

from rational_utils import rationales
from rational_utils.rationales import CHECKS, HEADS, deciding_words, parse, reason_to_reject, write
from rational_utils.rationales.self_check import FIRST_WORDS, REFUSAL_OPENING, assemble
from rational_utils.study.errors import StudyError


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
    ("contradicts_label", replace(GOOD["harmful"], decision="help", verdict="compliance")),
    ("left_out_topic", replace(GOOD["benign"], final="Ask a child to bake it with you.")),
    ("contradicts_label", replace(GOOD["benign"], decision="refuse", verdict="refusal")),
    ("contradicts_decision", with_section("harmful", "Ethics", "is safe and quite fine.")),
    ("contradicts_decision", with_section("harmful", "Impact", "nobody, it is Harmless fun.")),
    ("contradicts_decision", with_section("benign", "Ethics", "it, yet I should not answer it.")),
    ("contradicts_decision", with_section("benign", "Impact", "but I must refuse this.")),
    ("answer_disagrees", replace(GOOD["harmful"], verdict="compliance")),
    ("answer_disagrees", replace(GOOD["benign"], verdict="refusal")),
    ("answer_disagrees", replace(GOOD["benign"], verdict="incoherent")),
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
    candidate = replace(GOOD["benign"], cut=("Intent",), verdict="refusal")
    assert reason_to_reject(candidate, ("answer_disagrees", "incomplete")) == "answer_disagrees"
    assert reason_to_reject(candidate, ("incomplete", "answer_disagrees")) == "incomplete"
    assert reason_to_reject(candidate, ()) == "" and reason_to_reject(candidate, ("repetition",)) == ""


def test_an_unknown_check_lists_the_known_ones():
    with pytest.raises(StudyError, match="repetition"):
        reason_to_reject(GOOD["benign"], ("repetitions",))


def test_a_cut_benign_decision_does_not_count_as_incomplete():
    assert not CHECKS["incomplete"](replace(GOOD["benign"], cut=("Decision",)))


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
    assert assemble("benign", {**WRITTEN["benign"], "Decision": "help"}, " Bake. And th")[2] == "Bake. And th"


@pytest.mark.parametrize("label", GOOD)
def test_a_prelude_is_what_stands_before_the_final_response(label):
    whole = write(SECTIONS[label], "help", "Yes.\nAnd more.")
    assert rationales.prelude(whole) + " Yes.\nAnd more." == whole == rationales.prelude(f" \n{whole}\n") + " Yes.\nAnd more."
    assert "".join(rationales.in_place_of_final("Asked: ", whole, "No.")) == f"Asked: {write(SECTIONS[label], 'help', 'No.')}"
    assert rationales.in_place_of_final("Asked: ", "plain", "No.") == ("Asked: ", "No.")


@pytest.mark.parametrize("output", ["", "A plain answer.", "Intent: Ordinary. The user wants tea.\nEthics: Nothing"])
def test_without_a_finished_rationale_there_is_no_prelude(output):
    assert rationales.prelude(output) == ""


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
