"""Chat templates of ours, for base models that come without one: roles in plain words, which tell a model that has seen no dialogues more than tokens
that it never read, and an example, without which it asks back or repeats the question."""

from __future__ import annotations

EXAMPLE = (
    "How is paper made?",
    "Paper is made from wood. Machines cut the wood into small chips and cook them into a wet pulp. The pulp is spread out thin, pressed and dried, and the dry sheets are cut to size.",
)


def in_words(*examples: tuple[str, str]) -> str:
    """The template, in Jinja: the examples (question, answer) at first, then the dialogue; an answer ends in the end token. It begins a line, so that its first
    token is the same whether it is written or given: behind a colon a model would begin with a space."""
    shown = "".join(f"Question: {question}\n\nAnswer:\n{answer}\n\n" for question, answer in examples)
    return (
        f"{{{{ bos_token }}}}{shown}{{% for message in messages %}}"
        "{% if message['role'] == 'assistant' %}{{ 'Answer:\n' + message['content'] + eos_token + '\n\n' }}"
        "{% elif message['role'] == 'user' %}{{ 'Question: ' + message['content'] + '\n\n' }}{% else %}{{ message['content'] + '\n\n' }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'Answer:\n' }}{% endif %}"
    )


OURS = {"gemma-3-270m": in_words(EXAMPLE)}
