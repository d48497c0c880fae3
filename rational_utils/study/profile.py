"""What a profile may say as a whole: its sections, and what they must have in common. Reads no file and knows no place."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, field_validator, model_validator

from . import methods
from .sections import Attacks, CircuitBreaker, Count, Instructions, Model, Positive, Prompts, Rationales, Section, Training, Writer

Method = Annotated[str, AfterValidator(methods.known)]


class Profile(Section):
    """One setting of every dial; see the YAML files in `profiles/`. `repeats` are further seeds of single methods; `also` are
    further models, each with its methods, under the first seed. `shards` is in how many jobs a method is attacked, `side_by_side` how many stages share the
    cores at a time. `data` comes from the committed fixtures, from
    wheels, from wheels and public URLs ("web"), or from these and gated repositories of the hub ("hub"). `benchmarks` are tasks with their numbers of items; `benchmarked` are the methods that take them (and the sets of
    `noncompliance`), all if none is named; `as_trained` are those of the tasks that are also asked in the chat
    template, behind the method's own rationale (of `instructions.rationale_tokens`), with how many items; `mt_bench` is of how many of MT-Bench's
    questions the reference answers are scored (their first `attacks.reference_tokens`); `noncompliance` is how many prompts of each category of CoCoNot's and
    XSTest's sets are asked."""

    name: str
    about: str
    model: Model
    dtype: Literal["auto", "float32", "bfloat16"]
    data: Literal["fixtures", "wheels", "web", "hub"]
    methods: tuple[Method, ...]
    seeds: tuple[Count, ...]
    repeats: dict[Method, tuple[Count, ...]] = {}
    also: dict[Model, tuple[Method, ...]] = {}
    decode_rows: Positive
    shards: Positive = 1
    side_by_side: Positive = 1
    prompts: Prompts
    rationales: Rationales
    training: Training
    circuit_breaker: CircuitBreaker | None = None
    attacks: Attacks
    rewriter: Writer | None = None
    benchmarks: dict[str, Positive]
    benchmarked: tuple[Method, ...] = ()
    as_trained: dict[str, Positive] = {}
    mt_bench: Count = 0
    noncompliance: dict[Literal["coconot", "coconot_contrast", "xstest_safe", "xstest_unsafe"], Positive] = {}
    instructions: Instructions

    def of_its_model(self) -> "Profile":
        """Without what it says of other models than its first."""
        own = self.circuit_breaker and self.circuit_breaker.of(self.model)
        return self.model_copy(update={"circuit_breaker": own})

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
        asked = next((section for section in ("attacks", "rationales") if getattr(self, section).judge == "llm"), None)
        if asked and wanted is None:
            raise ValueError(f"{asked}.judge is llm, but the section attacks.llm_judge is missing; add it or name another judge")
        if wanted and wanted.problem():
            raise ValueError(f"attacks.llm_judge: {wanted.problem()}")
        return self

    @model_validator(mode="after")
    def _benchmarked_are_methods(self):
        if self.benchmarked and not {*self.benchmarked} & {*self.methods}:
            raise ValueError(f"benchmarked names {', '.join(self.benchmarked)}, but methods has none of them; name one of {', '.join(self.methods)}")
        return self

    @model_validator(mode="after")
    def _without_benchmarks_nothing_goes_with_them(self):
        others = [name for name, asked in (("noncompliance", self.noncompliance), ("mt_bench", self.mt_bench), ("instructions.prompts", self.instructions.prompts)) if asked]
        if others and not self.benchmarks:
            raise ValueError(f"{', '.join(others)} go with benchmarks, which are none; name one there or leave them out")
        return self

    @model_validator(mode="after")
    def _as_trained_are_benchmarks(self):
        more = sorted(set(self.as_trained) - set(self.benchmarks))
        if more:
            raise ValueError(f"as_trained names {', '.join(more)}, but benchmarks does not; add it there or leave it out")
        return self


SECTIONS = tuple(name for name, field in Profile.model_fields.items() if isinstance(field.annotation, type) and issubclass(field.annotation, Section))
