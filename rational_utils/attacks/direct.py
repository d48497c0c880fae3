"""The harmful question as it stands: what the model does without any attack.

Access: black-box. In training: always, with other questions.
"""

from ._templates import TemplateAttack

AS_IT_IS = ("{goal}",)

ATTACKS = [
    TemplateAttack("direct", "direct", "SORRY-Bench (arXiv 2406.14598), base questions", {"train": AS_IT_IS, "validation": AS_IT_IS, "test": AS_IT_IS}),
]
