"""How methods, attacks and tasks are called and ordered wherever a reader sees them.

Only words: colours and markers belong to the figures. A name that is not known here is shown as written.
"""
from collections.abc import Iterable

from ..study.methods import benign_share

METHODS = {
    "base": "Base",
    "refusal_sft": "Refusal SFT",
    "circuit_breaker": "Circuit Breaker",
    "rational": "Rational",
    "rational_no_benign": "Rational, no benign",
    "rational_benign_only": "Rational, benign only",
}
TASKS = {
    "truthfulqa_mc1": "TruthfulQA MC1", "truthfulqa_mc2": "TruthfulQA MC2", "truthfulqa": "TruthfulQA",
    "toxigen": "ToxiGen", "arc_challenge": "ARC-Challenge", "arc_easy": "ARC-Easy", "hellaswag": "HellaSwag", "hellaswag_1000": "HellaSwag, 1,000-item sample",
    "mmlu": "MMLU", "winogrande": "WinoGrande", "gsm8k": "GSM8K", "piqa": "PIQA", "openbookqa": "OpenBookQA",
    "toxigen_200": "ToxiGen-200", "fact_pairs_206": "True/false pairs", "mmlu_subset": "MMLU subset", "piqa_subset": "PIQA subset", "boolq": "BoolQ", "ifeval": "IFEval", "ifeval_subset": "IFEval subset", "mt_bench": "MT-Bench",
}
METRICS = {
    "prompt_level_strict_acc": "prompts followed", "exact_match,strict-match": "exact match, strict", "exact_match,flexible-extract": "exact match, flexible",
    "reference_likelihood": "reference likelihood",
}  # fmt: skip
ATTACKS = {"gcg": "GCG", "pair": "PAIR", "tap": "TAP", "pap": "PAP", "uat": "UAT", "autodan": "AutoDAN",
           "autoprompt": "AutoPrompt", "few_shot": "Few-shot", "gcg_transfer": "GCG, other models'", "gcg_from_base": "GCG, from base", "gcg_universal": "GCG, one for several", "multi_turn": "Multi-turn", "evidence_based_persuasion": "Evidence-based persuasion"}
TERMS = {"gemma": "Gemma Terms of Use", "llama-3": "Meta Llama 3 Community License (Built with Meta Llama 3)"}


def terms_note(models: Iterable[str]) -> str | None:
    """What must be said where results of these models are shown; None if nothing must."""
    bound = [f"{model} under the {TERMS[maker]}" for model in models for maker in TERMS if model.startswith(maker)]
    return ", ".join(bound) or None


def method_title(method: str) -> str:
    """The method as a reader knows it: "Refusal SFT", "Rational, 25 % benign"."""
    if method not in METHODS and benign_share(method) is not None:
        return f"Rational, {benign_share(method)} % benign"
    return METHODS.get(method, method)


def metric_title(metric: str) -> str:
    return METRICS.get(metric, metric)


def mode_title(mode: str) -> str:
    return mode.replace("_", " ")


def task_title(task: str) -> str:
    return TASKS.get(task, task.replace("_", " "))


def attack_title(attack: str) -> str:
    return ATTACKS.get(attack, attack[:1].upper() + attack[1:].replace("_", " "))


def in_order(methods: Iterable[str]) -> list[str]:
    """The distinct methods, controls first, then Rational and its variants by benign share, then the rest by name."""
    known = list(METHODS)

    def rank(method: str):
        if method in known:
            return (known.index(method) + (method == "rational_benign_only"), 0, "")
        share = benign_share(method)
        return (len(known) + 1, 0, method) if share is None else (known.index("rational_no_benign") + 1, share, "")

    return sorted(set(methods), key=rank)
