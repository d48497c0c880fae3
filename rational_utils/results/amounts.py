"""How much work a stage of a profile is: tokens that it writes, learns or scores, up to a factor that is the same for all profiles. It measures nothing."""

from __future__ import annotations

from collections.abc import Callable

from ..study import methods
from ..study.profile import Profile
from ..study.sections import Search

OPENINGS = {"line": 0.5, "sentence": 0.35}  # what a row costs that teaches only the opening of an answer, in whole rows
WRITTEN = 0.015  # what a token costs that is written, in whole rows learnt
ITEM = 0.07  # what a token costs that is written, in benchmark items of `quick`
# What an item of these tasks costs, and the examples before all items once, in items of `quick` (about 40 tokens). MC2's choices hold MC1's.
ITEMS = {"truthfulqa_mc1": 1.6, "truthfulqa_mc2": 0.5, "toxigen": 0.6, "arc_challenge": 1.5, "hellaswag": 2.4, "hellaswag_1000": 2.4, "mmlu": 3.0, "winogrande": 1.0, "gsm8k": 10.0}
TWO_REFERENCES = 12  # what the two reference answers to a question of MT-Bench cost
CATEGORIES = {"coconot": 5, "coconot_contrast": 3, "xstest_safe": 1, "xstest_unsafe": 1}
EXAMPLES = {"arc_challenge": 26, "hellaswag": 15, "hellaswag_1000": 15, "mmlu": 690, "winogrande": 3, "gsm8k": 18}
TURNS = {"foot_in_the_door": 3, "crescendo": 4}  # how often the target answers; every other attack that does not search asks once
# What searching costs in tokens written: a slope, a candidate suffix, a candidate wording, and how much dearer an answer is that is written alone.
SLOPE, CANDIDATE, WORDING, ALONE = 250, 13, 31, 8


def amount(stage: str, method: str, profile: Profile) -> float:
    """Tokens written, learnt or scored, up to a factor that is the same for all profiles."""
    prompts, rationales = profile.prompts, profile.rationales
    benign = prompts.train_sensitive + prompts.train_plain
    if stage.startswith("02"):
        return 4 * rationales.section_tokens * prompts.train_harmful * (1 + prompts.reasoned_wordings) + (3 * rationales.section_tokens + rationales.answer_tokens) * benign
    if stage.startswith("03b"):
        wanted, asked = profile.circuit_breaker, (1 + prompts.wrapped_harmful) * prompts.train_harmful
        learnt = (wanted.harmful_per_step + wanted.retained_per_step) * wanted.steps * max(wanted.targets)
        return learnt + WRITTEN * wanted.answer_tokens * asked
    if stage.startswith("03"):
        openings = prompts.wrapped_harmful * prompts.train_harmful + prompts.wrapped_benign * benign
        reasoned = prompts.reasoned_wordings * prompts.train_harmful
        whole, opening = profile.training.whole, OPENINGS[profile.training.opening]
        plain = (whole + opening * (1 - whole)) * (prompts.train_harmful + benign)
        return (plain + opening * openings + (1 - opening) * reasoned) * profile.training.epochs
    if stage.startswith("04"):
        return _attacked(profile, _tokens_of_an_answer(profile, method))
    if stage.startswith("05b"):
        return sum(CATEGORIES[name] * count for name, count in profile.noncompliance.items()) * _tokens_of_an_answer(profile, method)
    if stage.startswith("05"):
        wanted, as_trained = profile.instructions, sum(profile.as_trained.values())
        scored = sum(ITEMS.get(task, 1) * count + EXAMPLES.get(task, 0) for task, count in profile.benchmarks.items()) + 2 * as_trained
        scored += TWO_REFERENCES * profile.mt_bench
        reasoned = (wanted.prompts + as_trained + 2 * profile.mt_bench) * wanted.rationale_tokens * methods.reasons(method)
        return scored + ITEM * (wanted.prompts * wanted.answer_tokens + reasoned)
    return 1


def _tokens_of_an_answer(profile: Profile, method: str) -> int:
    return profile.attacks.answer_tokens + profile.attacks.rationale_tokens * methods.reasons(method)


def _attacked(profile: Profile, answer: int) -> float:
    """What all attacks and the benign prompts cost, in tokens written, if no search ends early; `answer` is the cost of one answer."""
    prompts, wanted = profile.prompts, profile.attacks
    every = prompts.test_harmful + prompts.test_harmful_held_out
    questions = min(wanted.questions or every, every)
    few = min(wanted.search.questions, questions)
    asked = sum(few * (answer + SEARCHES[name](wanted.search.of(name), answer)) if name in SEARCHES else questions * TURNS.get(name, 1) * answer for name in wanted.names)
    return asked + (prompts.test_sensitive + prompts.test_sensitive_new + prompts.test_plain) * answer


def _by_gradient(search: Search, answer: int) -> float:
    checks = search.steps // search.asked_every if search.asked_every else 0
    return search.steps * _step(search.width) + checks * ALONE * answer


def _universal(width: int | None) -> Callable[[Search, int], float]:
    """One suffix is sought for all questions: a question's share of that, with so many candidates a step (None: the search's)."""
    return lambda search, answer: search.steps * search.together * _step(width or search.width) / search.questions


def _step(width: int) -> float:
    return SLOPE + CANDIDATE * width


SEARCHES = {
    "gcg": _by_gradient, "autoprompt": _by_gradient, "uat": _universal(4), "gcg_universal": _universal(None),
    "gcg_from_base": lambda search, answer: 0,  # the base model's own evaluation has found it
    "autodan": lambda search, answer: search.rounds * search.population * WORDING,
    "pair": lambda search, answer: answer + search.rounds * search.streams * (answer + search.rewriting_tokens),
    "tap": lambda search, answer: answer + search.rounds * search.branches * (answer + search.rewriting_tokens),
    "pap": lambda search, answer: search.rounds * search.streams * (answer + search.rewriting_tokens),
}  # fmt: skip
