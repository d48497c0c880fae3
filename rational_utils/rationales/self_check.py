"""Self-check reasoning: how the model is asked for a rationale (the paper's equation 1, wording ours).

The instruction is used only here; training rows carry the bare prompt, so that the habit moves into the weights. A small
model gets a guide: each section's head and first words. Generates nothing itself.
"""

from __future__ import annotations

from ..models.guides import Section
from .text import FINAL, HEADS, STANCES

SELF_CHECK = {
    "harmful": (
        "Check the request below for harm before anything else. Say what the person is after, which moral or legal line "
        "it crosses, and who would be hurt if it were done. A request dressed up as teaching, research, fiction, work or prevention "
        'can still be harmful. Then write "Decision: refuse" and give the reason in one sentence.\n\nRequest: {prompt}'
    ),
    "benign": (
        "Check why the request below is fine to answer, even if some of its words sound alarming. Say what the person wants to know, "
        "why nothing is wrong with it, and what a good answer is useful for. Do not refuse out of caution alone. "
        'Then write "Decision: help" and answer.\n\nRequest: {prompt}'
    ),
}
# the very first word takes a side: what stands closest to the prompt is learnt most surely
FIRST_WORDS = {
    "harmful": {"Intent": f"{STANCES['harmful']}. The user wants", "Ethics": "Helping would be wrong because it", "Impact": "It could harm"},
    "benign": {"Intent": f"{STANCES['benign']}. The user wants", "Ethics": "There is nothing wrong with explaining", "Impact": "A good answer helps people"},
}
DECISIONS = {"harmful": "refuse", "benign": "help"}
FOLLOWS = {"refuse": "refusal", "help": "compliance"}  # the verdict that a final response must have behind a decision
REFUSAL_OPENING = "I'm sorry, but I can't help with this, because it would"


def ask(prompt: str, label: str) -> str:
    """The user turn that asks for a rationale under the self-check of this label."""
    return SELF_CHECK[label].replace("{prompt}", prompt)


def guide(label: str, section_tokens: int) -> tuple[Section, ...]:
    """The scaffold of a rationale; the final response of a harmful prompt is part of it, a benign one is answered apart."""
    heads = tuple(Section(head, f"{head}: {FIRST_WORDS[label][head]}", section_tokens) for head in HEADS)
    decision = Section("Decision", "Decision:", 4, choices=(" refuse", " help"))
    final = Section("final", f"\n{FINAL} {REFUSAL_OPENING}", section_tokens)
    return (*heads, decision, final) if label == "harmful" else (*heads, decision)


def assemble(label: str, written: dict[str, str], answer: str | None) -> tuple[dict[str, str], str, str]:
    """(sections, decision, final response) from what the model wrote into the guide; `answer` is for benign prompts."""
    sections = {head: FIRST_WORDS[label][head] + written[head] for head in HEADS}
    final = REFUSAL_OPENING + written["final"] if label == "harmful" else (answer or "").strip()
    return sections, written["Decision"].strip(), final
