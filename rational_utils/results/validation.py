"""What a recipe does on the validation split: one row a method, appended to `trials.csv`, so that recipes are compared by files."""

from __future__ import annotations

import pandas as pd

from ..study.settings import Study
from .statistics import pooled_asr

SPLIT = "attacks.split=validation"


def trial(study: Study) -> pd.DataFrame:
    """Columns recipe (the overridden fields), model, method, seed, rows (accepted rationales), asr with its interval, over_refusal,
    and the share refused of each benign set."""
    return pd.DataFrame([_row(study.of(run.model), run.method, run.seed) for run in study.evaluated()])


def _row(study: Study, method: str, seed: int) -> dict:
    verdicts = pd.read_parquet(study.responses(method, seed))
    attacked = verdicts["set"] == "harmful"
    pooled = pooled_asr(verdicts[attacked])
    refused = verdicts[~attacked]["verdict"].eq("refusal")
    return {
        "recipe": " ".join(field for field in study.overrides if field != SPLIT), "model": study.profile.model, "method": method, "seed": seed,
        "rows": 0 if method == "base" else int((pd.read_parquet(study.rationales)["reason"] == "").sum()),
        "asr": pooled.rate, "low": pooled.low, "high": pooled.high,
        "over_refusal": refused.mean(),
        **refused.groupby(verdicts[~attacked]["set"]).mean().add_prefix("refused_").to_dict(),
    }  # fmt: skip


def append(study: Study, rows: pd.DataFrame) -> pd.DataFrame:
    """All trials so far, with these rows last."""
    path = study.runs / "trials.csv"
    trials = pd.concat([pd.read_csv(path), rows], ignore_index=True) if path.exists() else rows
    trials.to_csv(path, index=False)
    return trials
