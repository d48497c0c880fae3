"""The sections of a profile: its dials by stage, typed and bounded. Reads no file and knows no place."""

from __future__ import annotations

import re
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Model = Literal["tiny", "tiny-gemma", "smollm2-135m", "gemma-3-270m", "llama-3-8b-instruct", "mistral-7b-instruct-v0.2"]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Prompts(Section):
    """Numbers of questions by split; `test_harmful_held_out` more harmful ones are tested that come from the sources of training (if named, from those of `held_out_from`). `wrapped` is in how many wordings of the attacks `wordings` a training question is learnt besides
    its own, on average; `instruction` is the share of those without any (if they are questions) that are learnt as an instruction too.
    `reasoned_wordings` is in how many of them a harmful question is also reasoned about, on average."""

    train_harmful: Positive
    train_sensitive: Count
    train_plain: Positive
    wordings: tuple[str, ...]
    reasoned_wordings: Annotated[float, Field(ge=0)]
    wrapped_harmful: Annotated[float, Field(ge=0)]
    wrapped_benign: Annotated[float, Field(ge=0)]
    instruction_harmful: Share
    instruction_benign: Share
    validation_harmful: Positive
    validation_benign: Positive
    test_harmful: Positive
    test_harmful_held_out: Count
    held_out_from: tuple[str, ...] = ()
    test_sensitive: Positive
    test_sensitive_new: Positive
    test_plain: Positive
    near_duplicate: Annotated[float, Field(gt=0, lt=1)]

    @model_validator(mode="after")
    def _reasoned_are_there(self):
        if self.reasoned_wordings > self.wrapped_harmful:
            raise ValueError(f"reasoned_wordings is {self.reasoned_wordings:g}, but only {self.wrapped_harmful:g} wordings a harmful question are wanted (wrapped_harmful)")
        return self


class Rationales(Section):
    """Self-check reasoning: token limits for a section and an answer, checks applied, tries, and the temperature of all tries but the first, which is
    greedy. `plain_temperature` is the least temperature of a benign prompt's plain answer, in the first try too. `judge` chooses what is learnt from, the circuit
    breaker's dialogues too."""

    section_tokens: Positive
    answer_tokens: Positive
    tries: Positive
    temperature: Annotated[float, Field(gt=0, le=10)]
    plain_temperature: Annotated[float, Field(ge=0, le=10)]
    judge: str
    checks: tuple[str, ...]


class _Lora(Section):
    """LoRA weights and their optimiser. Learning rate is the peak of a linear warm-up and decay over optimiser steps."""

    rank: Positive
    alpha: Positive
    dropout: Share
    learning_rate: Annotated[float, Field(gt=0, le=1)]
    tokens_per_batch: Positive
    max_tokens: Positive


class Training(_Lora):
    """LoRA fine-tuning. `stress` is how often the words count with which a rationale takes its side, `whole` the share of the questions whose whole
    answer is learnt; of the others, and of further wordings, the `opening` is learnt, a line or a sentence."""

    epochs: Positive
    rows_per_step: Positive
    stress: Annotated[float, Field(ge=1)]
    whole: Share
    opening: Literal["line", "sentence"]


class CircuitBreaker(_Lora):
    """Representation Rerouting. `targets` are shares of the depth; rerouting weighs `coefficient` times 1 - t/`horizon` at step t and
    retaining `coefficient` times `retain_weight` times t/`horizon`; `normalise` standardises the states first; `nudge` is the standard deviation of LoRA's B at the start. Harmful dialogues are
    the base model's own answers of at most `answer_tokens` whose verdict is one of `accepts`; of the states that predict such an answer the first `spared` are left alone. Retained dialogues are
    benign and, with `retain_refusals`, refusals. `apart` holds what single models have instead."""

    targets: tuple[Annotated[float, Field(gt=0, le=1)], ...]
    normalise: bool
    nudge: Annotated[float, Field(ge=0)]
    steps: Positive
    horizon: Positive
    coefficient: Annotated[float, Field(gt=0)]
    retain_weight: Annotated[float, Field(ge=0)]
    harmful_per_step: Positive
    retained_per_step: Positive
    retain_refusals: bool
    answer_tokens: Positive
    accepts: tuple[Literal["compliance", "refusal", "incoherent", "unparsed"], ...]
    spared: Annotated[int, Field(ge=0, exclude_if=lambda spared: spared == 0)] = 0  # not in fingerprints of models that spare none
    apart: dict[Model, dict[Literal["coefficient", "retain_weight", "learning_rate", "spared"], Annotated[int | float, Field(gt=0)]]] = {}

    @model_validator(mode="after")
    def _apart_are_whole_numbers_where_these_are_counted(self):
        broken = [model for model, own in self.apart.items() if not isinstance(own.get("spared", 0), int)]
        if broken:
            raise ValueError(f"circuit_breaker.apart: spared of {', '.join(broken)} counts states; give a whole number")
        return self

    def of(self, model: str) -> "CircuitBreaker":
        """The section as it is for this model."""
        return self.model_validate({**self.model_dump(), **self.apart.get(model, {}), "apart": {}})


class Search(Section):
    """What an attack that searches may spend (`attacks.Budget`), on how many of those questions it is tried at all, and how many tokens an
    attacker's rewriting may have. `apart` holds what single attacks may spend instead."""

    questions: Positive
    steps: Positive
    width: Positive
    top: Positive
    suffix_tokens: Positive
    together: Positive
    asked_every: Count
    rounds: Positive
    streams: Positive
    branches: Positive
    population: Positive
    rewriting_tokens: Positive
    apart: dict[str, dict[Literal["steps", "width", "top", "suffix_tokens", "together", "rounds", "streams", "branches", "population"], Positive]] = {}

    def of(self, attack: str) -> "Search":
        """The section as it is for this attack."""
        return self.model_copy(update=self.apart.get(attack, {}))

    def budget(self, attack: str) -> dict[str, int]:
        """The fields of `attacks.Budget` for this attack."""
        return self.of(attack).model_dump(exclude={"questions", "rewriting_tokens", "apart"})


class LlmJudge(Section):
    """The judge `llm`: a language model that is asked with a rubric (of one `category`, if it is CoCoNot's). `url` is that of an OpenAI-compatible endpoint, up
    to before /chat/completions, and `key` the *name* of the environment variable that holds its key; without a url the model is one of transformers (a name of
    this study, a folder, or a name on the hub). A reply has at most `tokens` tokens. `calls` is how many may be made in all, earlier runs' kept ones included."""

    model: str
    revision: str
    url: str = ""
    key: str = ""
    rubric: Literal["sorry_bench", "harmbench", "strongreject", "coconot"]
    category: str = ""
    tokens: Positive = 256
    calls: Count

    def problem(self) -> str:
        """What is wrong, or "". It never repeats what was given: a key may have been pasted there."""
        if self.key and not re.fullmatch(r"[A-Z_][A-Z0-9_]*", self.key):
            return "key must be the name of an environment variable (capitals, digits, underscores), not the key itself"
        if self.url and not re.fullmatch(r"https?://[^\s@?#]+", self.url):
            return "url must be a plain http(s) address, without a key or password in it"
        if self.key and not self.url:
            return "key is given without a url; a model of transformers needs none"
        if (self.rubric == "coconot") != bool(self.category):
            return "category belongs to the rubric coconot, and to it alone"
        return ""


class Writer(Section):
    """A model that writes for attacks: one of this study's, or one behind an OpenAI-compatible endpoint at `url`, whose key the environment variable
    named `key` holds. What it writes has at most `tokens` tokens."""

    model: str
    url: str = ""
    key: str = ""
    tokens: Positive = 160

    @model_validator(mode="after")
    def _can_be_had(self):
        if not self.url and self.model not in get_args(Model):
            raise ValueError(f"model is {self.model!r}; give the url of an endpoint that has it, or one of {', '.join(get_args(Model))}")
        return self


class Attacks(Section):
    """Attack evaluation: on whose questions (a recipe is chosen on "validation", never on "test"), on how many of them, spread evenly (0: all), which
    attacks, how many tokens an answer and a rationale before it may have, and how many of a reference answer are scored. `attacker` writes for PAIR, TAP and PAP;
    without one the base model does, which is a weak one."""

    split: Literal["test", "validation"]
    questions: Count
    names: tuple[str, ...]
    answer_tokens: Positive
    rationale_tokens: Positive
    reference_tokens: Positive
    judge: str
    llm_judge: LlmJudge | None = None
    attacker: Writer | None = Field(default=None, exclude_if=lambda attacker: attacker is None)  # not in fingerprints of profiles without one
    search: Search

    @model_validator(mode="after")
    def _apart_are_tried(self):
        more = sorted(set(self.search.apart) - set(self.names))
        if more:
            raise ValueError(f"attacks.search.apart names {', '.join(more)}, but attacks.names does not; add it there or leave it out")
        return self


class Instructions(Section):
    """Following instructions: how many prompts are asked, and how many tokens an answer and a rationale before it may have."""

    prompts: Count
    answer_tokens: Positive
    rationale_tokens: Positive
