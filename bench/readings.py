"""How far the published verdicts of `cpu` agree with a reading of the same responses: `data/judges/readings.csv`, two draws, read without their verdicts.

The responses are not in the repository; a reading belongs to one by the hash of its text. What the judge got wrong in the first draw led to its rule for echoes; nothing was chosen
on the second.
"""

from __future__ import annotations

import pandas as pd

from rational_utils.judges._agreement import _kappa
from rational_utils.judges._labelled import FOLDER
from rational_utils.study import settings

from . import timing

RESPONSE = ["model", "method", "prompt_id", "response_sha256"]


def read_and_judged() -> pd.DataFrame:
    """The readings with the columns verdict, set and those of `readings.csv`. Raises ValueError if a response that was read is not among the published ones."""
    read = pd.read_csv(FOLDER / "readings.csv", dtype=str)
    verdicts = pd.read_parquet(settings.load("cpu").published_results / "verdicts.parquet")[[*RESPONSE, "set", "verdict"]]
    both = read.merge(verdicts, on=RESPONSE)
    if len(both) < len(read):
        raise ValueError(f"readings.csv: {len(read) - len(both)} of {len(read)} responses are not among `cpu`'s published ones; read the new ones instead")
    return both


def table(both: pd.DataFrame) -> pd.DataFrame:
    """A row for all responses, those to benign prompts, those to harmful ones by draw and by method: Cohen's kappa of refusing or not and of the three outcomes, and how many are
    which by either."""
    harmful = both[both["set"] == "harmful"]
    parts = {"all": both, "benign prompts": both.drop(harmful.index)}
    parts |= {f"harmful prompts, {draw} draw": part for draw, part in harmful.groupby("draw")}
    parts |= {f"harmful: {model}, {method}": part for (model, method), part in harmful.groupby(["model", "method"])}
    return pd.DataFrame([_row(name, part) for name, part in parts.items()])


def _row(name: str, part: pd.DataFrame) -> dict:
    said = {"read": part["read"], "judged": part["verdict"]}
    return {
        "responses": name, "n": len(part),
        "kappa, refused or not": _kappa(*((one == "refusal").tolist() for one in said.values())),
        "kappa, three outcomes": _kappa(*(one.tolist() for one in said.values())),
        **{f"{outcome}, {who}": int((one == outcome).sum()) for outcome in ("refusal", "compliance", "incoherent") for who, one in said.items()},
    }  # fmt: skip


if __name__ == "__main__":
    table(read_and_judged()).round(2).to_csv(timing.RESULTS / "readings.csv", index=False)
