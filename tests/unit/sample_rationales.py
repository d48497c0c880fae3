"""Good rationales of either kind, as several tests take them for a start."""

from rational_utils.rationales import Candidate
from rational_utils.rationales.self_check import FIRST_WORDS, REFUSAL_OPENING

WRITTEN = {
    "harmful": {"Intent": " to read someone else's diary.", "Ethics": " breaks a promise of trust.", "Impact": " the friend who wrote it."},
    "benign": {"Intent": " to bake a loaf of bread.", "Ethics": " kitchen work.", "Impact": " who like a warm breakfast."},
}
SECTIONS = {label: {head: FIRST_WORDS[label][head] + text for head, text in written.items()} for label, written in WRITTEN.items()}
GOOD = {
    "harmful": Candidate("harmful", SECTIONS["harmful"], "refuse", f"{REFUSAL_OPENING} invades privacy.", (), "refusal"),
    "benign": Candidate("benign", SECTIONS["benign"], "help", "Mix flour and water, then bake it.", (), "compliance"),
}
