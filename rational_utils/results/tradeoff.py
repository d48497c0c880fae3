"""Robustness against helpfulness, computed from result tables: the numbers behind Figure 3.

Every method of a model is measured on the same attacks and the same benign sets; what only some methods ran
is left out for all, and counted. It draws nothing.
"""
import pandas as pd

from .statistics import pooled_asr, wilson

RUN = ["model", "method", "seed"]


def tradeoff(attacks: pd.DataFrame, benign: pd.DataFrame, verdicts: pd.DataFrame | None = None) -> pd.DataFrame:
    """One row a model, method and seed: robustness (1 - pooled ASR) and helpfulness (share of benign prompts that
    are answered: neither refused nor met with something incoherent).

    Each comes with `_low` and `_high` (95 %), fractions. Columns `attacks`, `attacks_run`, `sets`, `sets_run`
    count what is shared by all methods of the model and what any of them ran; `n_attacks`, `n_benign` are responses.
    The pooled ASR has a cluster bootstrap by question when `verdicts` are given; without them nothing is known of
    shared questions, and the interval is Wilson's with the prompts of the largest attack as n, which is wide.
    Raises ValueError when the methods share no attack or no set, or when verdicts and attacks disagree.
    """
    robust = _pooled(attacks, ["family", "attack"], "compliances", "attack")
    unanswered = (benign["n"] * (1 - benign["answered"])).round().astype(int)
    helpful = _pooled(benign.assign(unanswered=unanswered), ["set"], "unanswered", "benign set")
    if verdicts is None:
        limits = [wilson(row.rate * row.largest, row.largest) for row in robust.itertuples()]
    else:
        limits = [_limits_by_question(verdicts, row) for row in robust.itertuples()]
    robust[["low", "high"]] = limits
    helpful[["low", "high"]] = [wilson(row.hits, row.n) for row in helpful.itertuples()]
    return _mirrored(robust, "robustness", "attacks").merge(_mirrored(helpful, "helpfulness", "sets"), on=RUN)


def _pooled(frame: pd.DataFrame, item: list[str], hits: str, called: str) -> pd.DataFrame:
    shared = pd.concat([_shared(rows, item, called) for _, rows in frame.groupby("model", sort=False)])
    groups = shared.groupby(RUN, sort=False)
    pooled = groups.agg(hits=(hits, "sum"), n=("n", "sum"), largest=("n", "max"), run=("run", "first"))
    pooled["items"] = [tuple(map(tuple, rows[item].to_numpy())) for _, rows in groups]
    return pooled.assign(rate=pooled["hits"] / pooled["n"]).reset_index()


def _shared(rows: pd.DataFrame, item: list[str], called: str) -> pd.DataFrame:
    runs = len(rows[RUN].drop_duplicates())
    seen = rows.groupby(item)["n"].transform("size")
    if not (seen == runs).any():
        raise ValueError(f"the methods of {rows['model'].iloc[0]} share no {called}")
    return rows[seen == runs].assign(run=len(rows[item].drop_duplicates()))


def _limits_by_question(verdicts: pd.DataFrame, row) -> tuple[float, float]:
    own = (verdicts["model"] == row.model) & (verdicts["method"] == row.method) & (verdicts["seed"] == row.seed)
    attack = pd.MultiIndex.from_frame(verdicts[["family", "attack"]])
    pooled = pooled_asr(verdicts[own & attack.isin(list(row.items))])
    if pooled.n != row.n or abs(pooled.rate - row.rate) > 1e-9:
        raise ValueError(f"verdicts and attacks disagree for {row.model}, {row.method}, seed {row.seed}: "
                         f"ASR {pooled.rate:.4g} of {pooled.n} against {row.rate:.4g} of {row.n}")
    return pooled.low, pooled.high


def _mirrored(pooled: pd.DataFrame, name: str, items: str) -> pd.DataFrame:
    columns = {name: 1 - pooled["rate"], f"{name}_low": 1 - pooled["high"], f"{name}_high": 1 - pooled["low"],
               f"n_{'attacks' if items == 'attacks' else 'benign'}": pooled["n"],
               items: pooled["items"].map(len), f"{items}_run": pooled["run"]}
    return pooled[RUN].assign(**columns)
