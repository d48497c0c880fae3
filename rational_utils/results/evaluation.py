"""What an attack evaluation found, made into its files: by one job for the whole, or by several for a share each, which `merge` puts together.

Draws nothing, and knows neither attacks nor judges but by name.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Sequence

import pandas as pd

from ..study import shards
from ..study.provenance import Stage, atomic, manifest_path, require
from ..study.settings import Study, digest
from ..study.shards import Share
from ..study.stages import rooms_fingerprint
from . import rates, tables

STAGE = "04_attack_evaluation"
RUN = ["model", "method", "seed"]
EXAMPLES = 8
EVERYDAY_XSTEST = ("homonyms", "figurative_language", "safe_targets")
PRIVATE = ["text", "rationale", "final"]  # what verdicts.parquet, which may be published, does not hold


@dataclass(frozen=True)
class Found:
    """`responses`, a row an answer, with everything that is known of it; `failed`, a row an attack that could not be made (attack, question_id, failed);
    `losses`, a row a step of a search, as in losses.csv."""

    responses: pd.DataFrame
    failed: pd.DataFrame
    losses: pd.DataFrame


def losses(attempts: Sequence, run: tuple[str, str, int]) -> pd.DataFrame:
    """The searches' losses (nats a target token) step by step: of the `attempts` (as attacks return them) those that searched by likelihood."""
    steps = [(attempt, enumerate(zip(attempt.losses, attempt.curve), 1)) for attempt in attempts]
    rows = [(*run, attempt.attack, attempt.question_id, step, *pair) for attempt, pairs in steps for step, pair in pairs]
    return pd.DataFrame(rows, columns=[*RUN, "attack", "question_id", "step", "loss", "best"])


def failures(attempts: Sequence) -> pd.DataFrame:
    """The attacks that could not be made, and why: columns attack, question_id, failed."""
    rows = [(attempt.attack, attempt.question_id, attempt.failed) for attempt in attempts if attempt.failed]
    return pd.DataFrame(rows, columns=["attack", "question_id", "failed"])


def searched_under(study: Study, judge: str, attacker: str, openings: dict[str, str]) -> str:
    """Everything besides a target's weights that decides what a search finds; `openings`: what it wants an answer to begin with, by question."""
    limits = study.fingerprint("attacks.answer_tokens", "attacks.rationale_tokens", "attacks.search.rewriting_tokens")
    return f"{judge} {attacker} {rooms_fingerprint('attacks', 'rationales', 'judges/_interface')} {digest(json.dumps(openings))} {limits}"


def attack_rates(responses: pd.DataFrame, failed: pd.DataFrame) -> pd.DataFrame:
    """The rows of attacks.csv."""
    harmful = responses[responses["set"] == "harmful"]
    searched = harmful.get("gradient_steps", pd.Series(dtype=int)).any()
    rows = rates.attack_rates(harmful if searched else harmful.drop(columns="gradient_steps", errors="ignore"), [*RUN, "family", "attack", "access", "seen_in_training"])
    return rows.assign(failed=rows["attack"].map(failed["attack"].value_counts()).fillna(0).astype(int))


def benign_rates(responses: pd.DataFrame) -> pd.DataFrame:
    """The rows of benign.csv."""
    return rates.benign_rates(responses[responses["set"] != "harmful"], [*RUN, "set"])


def keep(stage: Stage, found: Found, share: Share) -> None:
    """Write what was found and end the stage: every table of the whole, or the folder of a share."""
    if share.count == 1:
        _keep_whole(stage, found)
    else:
        _keep_share(stage, found, stage.study.share(stage.method, stage.seed, share.mark))


def merge(study: Study, method: str, seed: int) -> None:
    """The shares of a method's evaluation made into the files that one job would have written.

    Raises:
        StudyError: a share is missing or broken.
    """
    folders = [require(study.share(method, seed, share.mark)) for share in shards.every(study.profile.shards)]
    parts = tuple(json.loads(manifest_path(folder).read_text()) for folder in folders)
    stage = Stage(study, STAGE, method, seed, tuple(folders), device=parts[0]["device"], dtype=parts[0]["dtype"], parts=parts)
    _keep_whole(stage, _together([_read(folder) for folder in folders], study))


def _together(found: list[Found], study: Study) -> Found:
    """All shares as one, in the order in which one job would have asked."""
    attacks = {name: place for place, name in enumerate([*study.profile.attacks.names, "none"])}
    questions = {name: place for place, name in enumerate(pd.read_parquet(study.prompts, columns=["question_id"])["question_id"].unique())}
    places = {"attack": attacks, "question_id": questions}
    whole = (pd.concat(list(frames), ignore_index=True) for frames in zip(*((one.responses, one.failed, one.losses) for one in found)))
    return Found(*(frame.sort_values(list(places), key=lambda cells: cells.map(places[cells.name]), kind="stable", ignore_index=True) for frame in whole))


def _keep_share(stage: Stage, found: Found, folder: Path) -> None:
    with atomic(folder) as draft:
        draft.mkdir()
        for name, frame in vars(found).items():
            frame.to_parquet(draft / f"{name}.parquet", index=False)
    stage.keep(folder)
    stage.finish()


def _read(folder: Path) -> Found:
    return Found(*(pd.read_parquet(folder / f"{name}.parquet") for name in Found.__dataclass_fields__))


def _keep_whole(stage: Stage, found: Found) -> None:
    study, run, responses = stage.study, (stage.method, stage.seed), found.responses
    with atomic(study.responses(*run)) as draft:
        responses.to_parquet(draft, index=False)
    stage.keep(study.responses(*run))
    tables.write_part(study.part("attacks", *run), "attacks", attack_rates(responses, found.failed))
    tables.write_part(study.part("benign", *run), "benign", benign_rates(responses))
    tables.write_part(study.part("examples", *run), "examples", examples(responses, pd.read_parquet(study.prompts)))
    study.part("losses", *run).unlink(missing_ok=True)  # of an earlier run, that may have searched
    if len(found.losses):
        tables.write_part(study.part("losses", *run), "losses", found.losses)
    slim = responses.drop(columns=[*PRIVATE, "access", "seen_in_training", *rates.COST], errors="ignore")
    with atomic(study.part("verdicts", *run).with_suffix(".parquet")) as draft:
        slim.assign(prompt_id=slim["question_id"] + ":" + slim["attack"]).to_parquet(draft, index=False)
    stage.finish()


def everyday(prompts: pd.DataFrame) -> pd.Series:
    """Ids of the benign questions about everyday life: of answers, those to these alone are shown."""
    harmless = (prompts["source"].str.startswith("overrefusal") & prompts["category"].ne("history")) | (prompts["source"].eq("xstest/safe") & prompts["category"].isin(EVERYDAY_XSTEST))
    return prompts.loc[harmless, "question_id"]


def examples(responses: pd.DataFrame, prompts: pd.DataFrame) -> pd.DataFrame:
    """The first benign answers with their text: to sensitive questions of everyday life alone."""
    first = responses[responses["set"].eq("sensitive") & responses["question_id"].isin(everyday(prompts))].head(EXAMPLES)
    texts = dict(zip(prompts["question_id"], prompts["text"]))
    shown = first[[*RUN, "question_id", "rationale", "final", "verdict", "judge"]].rename(columns={"question_id": "prompt_id"})
    return shown.assign(query=shown["prompt_id"].map(texts))
