"""Published figures: each names its source, and the base model alone is put beside them."""

import pandas as pd

from rational_utils import benchmarks
from rational_utils.results import published


def measured(method="base", **changes):
    row = {"model": "smollm2-135m", "method": method, "seed": 0, "task": "hellaswag_1000", "mode": "by_likelihood", "shots": 10, "metric": "acc_norm", "n": 100,
           "value": 0.41, "low": 0.32, "high": 0.42}
    return {**row, **changes}


def test_every_figure_has_a_source_a_task_and_what_differs():
    known = pd.read_csv(published.PUBLISHED)
    assert known.notna().all(axis=None) and known["value"].between(0, 1).all() and known["url"].str.startswith("https://").all()
    assert all(row.metric in benchmarks.TASKS[row.task].metrics for row in known.itertuples())


def test_the_base_model_stands_beside_what_others_found():
    rows = [measured(), measured("rational"), measured(metric="acc"), measured(mode="as_trained"), measured(model="llama-3-8b-instruct")]
    shown = published.beside(pd.DataFrame(rows))
    assert shown["published"].tolist() == [0.409, 0.4299] and shown["within"].tolist() == [True, False] and (shown["shots"] == 10).all()
    assert list(shown) == published.SHOWN and published.beside(pd.DataFrame(rows[1:2])).empty
