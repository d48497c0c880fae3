"""What a profile may say: every dial of the study, typed and bounded. Reads no file and knows no place."""

from __future__ import annotations

import re
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from . import methods

Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Method = Annotated[str, AfterValidator(methods.known)]
Model = Literal["tiny", "tiny-gemma", "smollm2-135m", "gemma-3-270m"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Prompts(_Section):
    """Numbers of questions by split; `test_harmful_held_out` more harmful ones are tested that come from the sources of training. `wrapped` is in how many wordings of the attacks `wordings` a training question is learnt besides
    its own, on average; `instruction` is the share of those without any (if they are questions) that are learnt as an instruction too.
    `reasoned_wordings` is the share of harmful training questions that are also reasoned about in such a wording."""

    train_harmful: Positive
    train_sensitive: Count
    train_plain: Positive
    wordings: tuple[str, ...]
    reasoned_wordings: Share
    wrapped_harmful: Annotated[float, Field(ge=0)]
    wrapped_benign: Annotated[float, Field(ge=0)]
    instruction_harmful: Share
    instruction_benign: Share
    validation_harmful: Positive
    validation_benign: Positive
    test_harmful: Positive
    test_harmful_held_out: Count
    test_sensitive: Positive
    test_sensitive_new: Positive
    test_plain: Positive
    near_duplicate: Annotated[float, Field(gt=0, lt=1)]

    @model_validator(mode="after")
    def _reasoned_are_there(self):
        if self.reasoned_wordings > self.wrapped_harmful:
            raise ValueError(f"reasoned_wordings is {self.reasoned_wordings:g}, but only {self.wrapped_harmful:g} wordings a harmful question are wanted (wrapped_harmful)")
        return self


class Rationales(_Section):
    """Self-check reasoning: token limits for a section and an answer, checks applied, tries and temperature."""

    section_tokens: Positive
    answer_tokens: Positive
    tries: Positive
    temperature: Annotated[float, Field(gt=0, le=10)]
    checks: tuple[str, ...]


class _Lora(_Section):
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
    the base model's own answers of at most `answer_tokens` whose verdict is one of `accepts`; retained ones are benign and, with `retain_refusals`, refusals."""

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


class Search(_Section):
    """What an attack that searches may spend (`attacks.Budget`), on how many of the questions it is tried at all, and how many tokens an
    attacker's rewriting may have."""

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


class LlmJudge(_Section):
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


class Attacks(_Section):
    """Attack evaluation: on whose questions (a recipe is chosen on "validation", never on "test"), which attacks, how many
    tokens an answer and a rationale before it may have, and how many of a reference answer are scored."""

    split: Literal["test", "validation"]
    names: tuple[str, ...]
    answer_tokens: Positive
    rationale_tokens: Positive
    reference_tokens: Positive
    judge: str
    llm_judge: LlmJudge | None = None
    search: Search


class Rewriter(_Section):
    """A model that writes the attacks' mutations in the place of their templates: one of this study's, or one behind an OpenAI-compatible
    endpoint at `url`, whose key the environment variable named `key` holds. A rewriting has at most `tokens` tokens."""

    model: str
    url: str = ""
    key: str = ""
    tokens: Positive = 160

    @model_validator(mode="after")
    def _can_be_had(self):
        if not self.url and self.model not in get_args(Model):
            raise ValueError(f"rewriter: model is {self.model!r}; give the url of an endpoint that has it, or one of {', '.join(get_args(Model))}")
        return self


class Instructions(_Section):
    """Following instructions: how many prompts are asked, and how many tokens an answer and a rationale before it may have."""

    prompts: Count
    answer_tokens: Positive
    rationale_tokens: Positive


class Profile(_Section):
    """One setting of every dial; see the YAML files in `profiles/`. `repeats` are further seeds of single methods; `also` are
    further models, each with its methods, under the first seed. `shards` is in how many jobs a method is attacked. `data` comes from the committed fixtures, from
    wheels, or from wheels and public URLs ("web"). `benchmarks` are tasks with their numbers of items; `benchmarked` are the methods that take them (and the sets of
    `noncompliance`), all if none is named; `as_trained` are those of the tasks that are also asked in the chat
    template, behind the method's own rationale (of `instructions.rationale_tokens`), with how many items; `mt_bench` is of how many of MT-Bench's
    questions the reference answers are scored (their first `attacks.reference_tokens`); `noncompliance` is how many prompts of each category of CoCoNot's and
    XSTest's sets are asked."""

    name: str
    about: str
    model: Model
    dtype: Literal["auto", "float32", "bfloat16"]
    data: Literal["fixtures", "wheels", "web"]
    methods: tuple[Method, ...]
    seeds: tuple[Count, ...]
    repeats: dict[Method, tuple[Count, ...]] = {}
    also: dict[Model, tuple[Method, ...]] = {}
    decode_rows: Positive
    shards: Positive = 1
    prompts: Prompts
    rationales: Rationales
    training: Training
    circuit_breaker: CircuitBreaker | None = None
    attacks: Attacks
    rewriter: Rewriter | None = None
    benchmarks: dict[str, Positive]
    benchmarked: tuple[Method, ...] = ()
    as_trained: dict[str, Positive] = {}
    mt_bench: Count = 0
    noncompliance: dict[Literal["coconot", "coconot_contrast", "xstest_safe", "xstest_unsafe"], Positive] = {}
    instructions: Instructions

    @field_validator("methods")
    @classmethod
    def _whole(cls, given):
        if methods.missing(given):
            raise ValueError(methods.missing(given))
        return given

    @field_validator("methods", "seeds")
    @classmethod
    def _each_once(cls, values):
        if not values or len(set(values)) < len(values):
            raise ValueError("it must name at least one, and each once")
        return values

    @field_validator("also")
    @classmethod
    def _each_whole(cls, given):
        for model, chosen in given.items():
            if methods.missing(chosen):
                raise ValueError(f"{model}: {methods.missing(chosen)}")
        return given

    @model_validator(mode="after")
    def _circuit_breaker_is_set(self):
        if any("circuit_breaker" in chosen for chosen in (self.methods, *self.also.values())) and self.circuit_breaker is None:
            raise ValueError("methods name circuit_breaker, but the section circuit_breaker is missing; add it or leave the method out")
        return self

    @model_validator(mode="after")
    def _llm_judge_is_set(self):
        wanted = self.attacks.llm_judge
        if self.attacks.judge == "llm" and wanted is None:
            raise ValueError("attacks.judge is llm, but the section attacks.llm_judge is missing; add it or name another judge")
        if wanted and wanted.problem():
            raise ValueError(f"attacks.llm_judge: {wanted.problem()}")
        return self

    @model_validator(mode="after")
    def _benchmarked_are_methods(self):
        if self.benchmarked and not {*self.benchmarked} & {*self.methods}:
            raise ValueError(f"benchmarked names {', '.join(self.benchmarked)}, but methods has none of them; name one of {', '.join(self.methods)}")
        return self

    @model_validator(mode="after")
    def _as_trained_are_benchmarks(self):
        more = sorted(set(self.as_trained) - set(self.benchmarks))
        if more:
            raise ValueError(f"as_trained names {', '.join(more)}, but benchmarks does not; add it there or leave it out")
        return self


SECTIONS = tuple(name for name, field in Profile.model_fields.items() if isinstance(field.annotation, type) and issubclass(field.annotation, _Section))
