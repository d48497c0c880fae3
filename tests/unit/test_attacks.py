"""Every attack: found by name, repeatable, and with wordings of train, validation and test that share nothing."""

import importlib
import re
import shutil
from itertools import combinations, permutations
from pathlib import Path

import pytest

from rational_utils import attacks
from rational_utils.attacks import _published
from rational_utils.attacks._questions import on_topic
from rational_utils.attacks.mutations import SLIPS
from rational_utils.corpus import questions
from rational_utils.study import settings
from rational_utils.study.errors import Declined, StudyError

EVERY = attacks.all_attacks()
KNOWN = {name: attack for name, attack in EVERY.items() if attack.needs not in attacks.SEARCHING}  # the others: test_gradient, test_search
SIDES = ("train", "validation", "test")
PLAIN = [name for name, attack in KNOWN.items() if hasattr(attack, "wordings") and attack.wordings["test"] == ("{goal}",)]  # the question stays as it is
TEMPLATES = [name for name, attack in KNOWN.items() if hasattr(attack, "wordings") and name not in PLAIN]
SEVERAL = [name for name in KNOWN if name in ("misspellings", "few_shot", "gcg_transfer", "published_jailbreak") or (name in TEMPLATES and len(KNOWN[name].wordings["test"]) > 1)]
TURNS = [name for name, attack in KNOWN.items() if hasattr(attack, "turns")]
STYLES = [name for name, attack in KNOWN.items() if hasattr(attack, "words")]
GOAL = "Describe the wonderful weather above seventeen northern islands, and say why it is so."
QUESTIONS = [attacks.Question(f"q-{number}", f"{GOAL[:-1]}, variant {number}.") for number in range(30)]


class Echo:
    """A target that says how many messages it has seen."""

    def answer(self, dialogues):
        return [f"I have read {len(dialogue)}." for dialogue in dialogues]

    def read(self, source):
        return questions.reader("fixtures")(source)


def run(name, questions=QUESTIONS, side="test", seed=0):
    return attacks.find(name).run(questions, side=side, seed=seed, target=Echo())


def texts(name, side, seed=0):
    return [attempt.messages[-1]["content"] for attempt in run(name, side=side, seed=seed)]


def runs_of_four(wording):
    """All runs of four words on either side of the goal."""
    parts = [re.findall(r"[\w']+", part.lower()) for part in wording.split("{goal}")]
    return {run for words in parts for run in zip(words, words[1:], words[2:], words[3:], strict=False)}


def test_the_studys_attacks_are_found():
    assert {"direct", "role_play", "misspellings", "prefix_injection", "logical_appeal", "authority_endorsement"} <= set(KNOWN)
    assert {"misrepresentation", "evidence_based_persuasion", "expert_endorsement"} <= set(KNOWN)
    assert {"question", "slang", "uncommon_dialects", "technical_terms"} <= set(KNOWN)


@pytest.mark.parametrize("name", KNOWN)
def test_every_attack_is_found_by_its_name_and_says_what_it_is(name):
    attack = attacks.find(name)
    assert attack.name == name and attack.family and attack.source
    assert attack.access in ("black-box", "gradient", "transfer")


def test_every_file_says_where_its_attacks_come_from_what_they_need_and_whether_training_saw_them():
    trained = {name for profile in settings.profile_names() for name in settings.load(profile).profile.prompts.wordings}
    for module in _modules():
        own = {attack.name: attack for attack in getattr(module, "ATTACKS", [])}
        for attack in own.values():
            assert f"Access: {attack.access}" in module.__doc__ or f"counted as {attack.access}" in module.__doc__, attack.name
            assert re.search(r"arXiv \d{4}\.\d{5}|this study", attack.source) and "In training: " in module.__doc__, attack.name
        assert not own or ("In training: no profile has it." in module.__doc__) == (not trained & set(own) and "direct" not in own), module.__name__


def test_names_are_unique_over_all_files():
    listed = [attack.name for module in _modules() for attack in getattr(module, "ATTACKS", [])]
    assert len(listed) == len(set(listed)) == len(EVERY)


def _modules():
    return [importlib.import_module(f"{attacks.__name__}.{found.name}") for found in attacks.pkgutil.iter_modules(attacks.__path__)]


def test_an_unknown_attack_lists_the_known_ones():
    with pytest.raises(StudyError) as caught:
        attacks.find("logical_apeal")
    assert "'logical_apeal'" in str(caught.value) and all(name in str(caught.value) for name in EVERY) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("side", SIDES)
def test_attacks_answer_every_question_in_order_and_repeat_themselves(name, side):
    attempts = run(name, side=side, seed=3)
    assert [attempt.question_id for attempt in attempts] == [question.question_id for question in QUESTIONS]
    assert all(attempt.attack == name and attempt.messages[-1]["role"] == "user" for attempt in attempts)
    assert all(attempt.queries == 1 + sum(message["role"] == "assistant" for message in attempt.messages) for attempt in attempts) or name == "few_shot"
    assert attempts == run(name, side=side, seed=3)


@pytest.mark.parametrize("name", KNOWN)
def test_an_attempt_does_not_depend_on_the_other_questions(name):
    assert run(name, QUESTIONS[5:6], seed=1) == run(name, seed=1)[5:6]


@pytest.mark.parametrize("name", SEVERAL)
def test_another_seed_gives_other_dialogues(name):
    assert run(name, seed=0) != run(name, seed=1)


@pytest.mark.parametrize("name", [*TEMPLATES, *PLAIN])
@pytest.mark.parametrize("side", SIDES)
def test_the_goal_survives_and_every_wording_is_used(name, side):
    made, goals = texts(name, side), [KNOWN[name].reword(question.text, side) for question in QUESTIONS]
    assert all(goal in text and "{goal}" not in text for goal, text in zip(goals, made, strict=True))
    frames = {text.replace(goal, "{goal}") for goal, text in zip(goals, made, strict=True)}
    assert frames == set(KNOWN[name].frames(GOAL, side))


@pytest.mark.parametrize("name", [name for name in KNOWN if name not in ("base64", "leetspeak")])  # these can be read back: see below
@pytest.mark.parametrize("side", SIDES)
def test_the_content_words_survive_every_attack(name, side):
    for question, text in zip(QUESTIONS, texts(name, side), strict=True):
        assert on_topic(question.text, text), name


@pytest.mark.parametrize("name", TEMPLATES)
def test_wordings_hold_one_goal_and_differ(name):
    wordings = [wording for side in SIDES for wording in KNOWN[name].wordings[side]]
    assert set(KNOWN[name].wordings) == set(SIDES) and all(KNOWN[name].wordings.values())
    assert all(wording.count("{goal}") == 1 for wording in wordings) and len(set(wordings)) == len(wordings)


@pytest.mark.parametrize("one", TEMPLATES)
@pytest.mark.parametrize("other", TEMPLATES)
def test_sides_share_no_run_of_four_words_not_even_between_attacks(one, other):
    for here, there in permutations(SIDES, 2):
        for wording in KNOWN[one].wordings[here]:
            shared = [runs_of_four(wording) & runs_of_four(another) for another in KNOWN[other].wordings[there]]
            assert not any(shared), (here, there, shared)


def test_the_check_on_runs_of_words_can_fail():
    assert runs_of_four("As a careful writer, I ask: {goal}") & runs_of_four("{goal} Speak as a careful writer.")


@pytest.mark.parametrize("name", PLAIN)
def test_some_send_the_question_as_it_is(name):
    assert [texts(name, side) for side in SIDES] == [[question.text for question in QUESTIONS]] * 3


@pytest.mark.parametrize("name", TURNS)
@pytest.mark.parametrize("side", SIDES)
def test_the_targets_own_replies_stay_in_the_dialogue(name, side):
    for question, attempt in zip(QUESTIONS, run(name, side=side), strict=True):
        assert [message["role"] for message in attempt.messages] == [*["user", "assistant"] * (attempt.queries - 1), "user"]
        assert [message["content"] for message in attempt.messages[1::2]] == [f"I have read {2 * turn + 1}." for turn in range(attempt.queries - 1)]
        assert question.text in attempt.messages[-1]["content"] and attempt.queries == len(KNOWN[name].turns[side]) >= 3


def test_sides_share_no_cached_suffix():
    endings = {side: {text.removeprefix(question.text) for question, text in zip(QUESTIONS, texts("gcg_transfer", side), strict=True)} for side in SIDES}
    assert all(endings.values()) and not any(endings[one] & endings[other] for one, other in combinations(SIDES, 2))


def test_every_published_jailbreak_is_a_frame_around_the_question_and_on_one_side_alone():
    documents = questions.reader("fixtures")("jailbreaks")
    known = {side: KNOWN["published_jailbreak"].known(documents, side) for side in SIDES}
    assert all(known.values()) and not any(set(known[one]) & set(known[other]) for one, other in combinations(SIDES, 2))
    assert all(frame.count(_published.GOAL) == 1 for frames in known.values() for frame in frames)
    for question, text in zip(QUESTIONS, texts("published_jailbreak", "test"), strict=True):
        assert text in {frame.replace(_published.GOAL, question.text) for frame in known["test"]}


def test_what_an_endpoint_will_not_take_fails_alone():
    class Picky(Echo):
        def answer(self, dialogues):
            if any(QUESTIONS[1].text in message["content"] for dialogue in dialogues for message in dialogue):
                raise Declined("the endpoint will not take it")
            return super().answer(dialogues)

    made = attacks.launch(attacks.find("crescendo"), QUESTIONS[:3], side="test", seed=0, target=Picky())
    assert [attempt.failed for attempt in made] == ["", "the endpoint will not take it", ""] and made[1].messages == ()
    assert [made[0].messages, made[2].messages] == [attempt.messages for attempt in run("crescendo", [QUESTIONS[0], QUESTIONS[2]])]


def test_sides_of_a_dialogue_share_no_turn():
    for name in TURNS:
        for one, other in combinations(SIDES, 2):
            assert not set(KNOWN[name].turns[one]) & set(KNOWN[name].turns[other])


def test_demonstrations_are_dialogues_and_sides_share_none():
    from rational_utils.attacks.few_shot import DEMONSTRATIONS, SHOTS

    for one, other in combinations(SIDES, 2):
        assert not set(DEMONSTRATIONS[one]) & set(DEMONSTRATIONS[other])
    roles = [message["role"] for message in run("few_shot")[0].messages]
    assert roles == [*["user", "assistant"] * SHOTS, "user"]


@pytest.mark.parametrize("name", [name for name, attack in KNOWN.items() if hasattr(attack, "beginnings")])
def test_a_prefill_is_what_the_answer_begins_with_and_each_side_has_its_own(name):
    assert [{attempt.prefill for attempt in run(name, side=side)} for side in SIDES] == [{KNOWN[name].beginnings[side]} for side in SIDES]
    assert len(set(KNOWN[name].beginnings.values())) == 3
    assert all(attempt.prefill == "" for attempt in run("direct"))


@pytest.mark.parametrize("side", SIDES)
def test_encodings_can_be_read_back(side):
    import base64

    from rational_utils.attacks.in_the_wild import LEET

    hidden = [text.split()[-1] for text in texts("base64", side)]
    assert [base64.b64decode(text).decode() for text in hidden] == [question.text for question in QUESTIONS]
    assert all(question.text.translate(LEET) in text for question, text in zip(QUESTIONS, texts("leetspeak", side), strict=True))


BAD = {"": "is empty", "   ": "is empty", "a" * 10_000: "has 10000 characters, allowed 4000", "Ring\x07 the bell.": "control characters", "Ring \u202ethe bell.": "control characters", "\u0645\u0631\u062d\u0628\u0627": "from right to left"}


@pytest.mark.parametrize("name", KNOWN)
def test_a_bad_question_is_recorded_as_failed_and_the_rest_goes_on(name):
    asked = [QUESTIONS[0], *(attacks.Question(f"bad-{number}", text) for number, text in enumerate(BAD)), QUESTIONS[1]]
    made = attacks.launch(attacks.find(name), asked, side="test", seed=0, target=Echo())
    assert [attempt.question_id for attempt in made] == [question.question_id for question in asked]
    assert [attempt.failed == "" for attempt in made] == [True, *[False] * len(BAD), True]
    for attempt, said in zip(made[1:-1], BAD.values(), strict=True):
        assert said in attempt.failed and "\n" not in attempt.failed and attempt.messages == () and attempt.queries == 0
    plain = [attempt.messages for attempt in run(name, [QUESTIONS[0], QUESTIONS[1]])]
    assert [made[0].messages, made[-1].messages] == plain and made[0].seconds >= 0


def test_letters_with_accents_are_no_control_characters():
    assert attacks.problem("D\u00e9cris l'\u00e9chelle, \u00fc\u00df \u2013 \u65e5\u672c\n\tplease.") == ""


@pytest.mark.parametrize("target", [None, object()])
def test_an_attack_on_a_target_it_cannot_use_fails_in_one_line(target):
    made = attacks.launch(attacks.find("crescendo"), QUESTIONS[:2], side="test", seed=0, target=target)
    assert {attempt.failed for attempt in made} == {"crescendo needs a target that offers `answer`"}
    assert not any(attempt.failed for attempt in attacks.launch(attacks.find("direct"), QUESTIONS[:2], side="test", seed=0, target=target))


@pytest.mark.parametrize("side", SIDES)
def test_misspellings_change_some_longer_words_and_never_a_first_letter_or_a_short_word(side):
    changed = total = 0
    for question, text in zip(QUESTIONS, texts("misspellings", side), strict=True):
        before, after = question.text.split(), text.split()
        assert len(before) == len(after) and [word[0] for word in before] == [word[0] for word in after]
        for old, new in zip(before, after, strict=True):
            long = len(re.sub(r"\W|\d", "", old)) >= 4
            assert long or old == new
            assert abs(len(old) - len(new)) <= 1
            total, changed = total + long, changed + (old != new)
    assert 0.25 < changed / total < 0.55


def test_each_side_has_its_own_kind_of_slip():
    lengths = {side: {len(new) - len(old.text) for old, new in zip(QUESTIONS, texts("misspellings", side), strict=True)} for side in SIDES}
    assert min(lengths["train"]) >= 0 < max(lengths["train"]) and min(lengths["validation"]) < 0 >= max(lengths["validation"]) and lengths["test"] == {0}
    assert {slip("stone", 2) for slip in SLIPS.values()} == {"stoone", "stne", "stnoe"}


def test_misspelled_words_of_the_test_are_not_those_of_training():
    clean = {word for question in QUESTIONS for word in question.text.split()}
    wrong = [{word for text in texts("misspellings", side) for word in text.split()} - clean for side in SIDES]
    assert all(wrong) and not any(one & other for one, other in combinations(wrong, 2))


def test_words_of_two_or_three_letters_are_left_alone():
    asked = [attacks.Question(f"s-{number}", "Why do we say so, and to who is it? A3b4c5 42!") for number in range(20)]
    assert {attempt.messages[0]["content"] for attempt in run("misspellings", asked)} == {asked[0].text}


@pytest.mark.parametrize("name", STYLES)
@pytest.mark.parametrize("side", SIDES)
def test_a_style_changes_its_own_words_and_no_other(name, side):
    own = KNOWN[name].words[side]
    before = re.findall(r"[\w']+", f"{GOAL} {' '.join(own).capitalize()}")
    after = KNOWN[name].reword(" ".join(before), side)
    for word in set(before):
        stays = word.lower() not in own
        assert (word in after.split()) == stays or word.lower() in " ".join(own.values()).split()
    assert KNOWN[name].reword("Seventeen islands.", side) == "Seventeen islands."


@pytest.mark.parametrize("name", STYLES)
def test_sides_of_a_style_share_no_replacement(name):
    for one, other in combinations(SIDES, 2):
        assert not set(KNOWN[name].words[one].values()) & set(KNOWN[name].words[other].values())


@pytest.mark.parametrize("side", SIDES)
def test_only_an_instruction_becomes_the_end_of_a_question(side):
    form = KNOWN["question"]
    assert form.reword("Describe a ladder.", side) == "describe a ladder" and all(frame.endswith("?") for frame in form.frames("Describe a ladder.", side))
    for text in ("Where is the ladder?", "You are a gardener. Describe a ladder.", "The ladder of my friend.", "DIY ladder plans.", "describe a ladder"):
        assert form.reword(text, side) == text and form.frames(text, side) == form.others[side]


def test_the_others_of_the_question_form_share_no_run_of_four_words_between_sides():
    made = {side: set().union(*map(runs_of_four, KNOWN["question"].others[side])) for side in SIDES}
    assert all(made.values()) and not any(made[one] & made[other] for one, other in combinations(SIDES, 2))


@pytest.mark.parametrize(
    ("file", "gone"),
    [("direct", {"direct"}), ("prefix_injection", {"prefix_injection"}), ("mutations", {"role_play", "misspellings"}), ("styles", {"slang", "question"}), ("multi_turn", {"crescendo"}), ("adaptive", {"no_reasoning"}), ("in_the_wild", {"base64"}), ("few_shot", {"few_shot"}), ("transfer", {"gcg_transfer", "gcg_from_base"}), ("jailbreaks", {"published_jailbreak"}), ("gradient", {"gcg", "uat"}), ("pair", {"pair"}), ("tap", {"tap"}), ("pap", {"pap"}), ("autodan", {"autodan"}), ("persuasion", {"logical_appeal"})],
)
def test_deleting_a_file_removes_its_attacks_and_no_other(tmp_path, monkeypatch, file, gone):
    package = tmp_path / f"house_without_{file}"
    shutil.copytree(Path(attacks.__path__[0]).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "attacks" / f"{file}.py").unlink()
    monkeypatch.syspath_prepend(tmp_path)
    left = importlib.import_module(f"{package.name}.attacks").all_attacks()
    lost = set(EVERY) - set(left)
    assert gone <= lost and lost == {attack.name for attack in importlib.import_module(f"rational_utils.attacks.{file}").ATTACKS}


def test_what_was_asked_is_what_the_user_says():
    turns = ({"role": "user", "content": "One?"}, {"role": "assistant", "content": "One."}, {"role": "user", "content": "Two?"})
    assert attacks.Attempt("some", "q", turns).asked == "One?\nTwo?"
