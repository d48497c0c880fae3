"""What may not be published is refused before anything is copied; what is said of the claims."""

import pandas as pd
import pytest

from rational_utils.results import blocks, publish
from rational_utils.study import settings
from rational_utils.study.errors import StudyError


@pytest.mark.parametrize(
    ("profile", "overrides", "said"),
    [("smoke", [], "noise"), ("quick", ["attacks.split=validation"], "validation"), ("quick", [], "not finished")],
)
def test_it_refuses(folders, profile, overrides, said):
    with pytest.raises(StudyError, match=said):
        publish.publish(settings.load(profile, overrides))


def claim(name: str, model: str, verdict: str, effect: float | None = None, p: float | None = None) -> dict:
    bounds = {} if effect is None else {"low": effect - 0.1, "high": effect + 0.1, "clusters": 58}
    return {"claim": name, "model": model, "statement": f"says {name}", "verdict": verdict, "effect": effect, "p_holm": p, **{"low": None, "high": None, "clusters": None}, **bounds}


def test_models_stand_side_by_side_in_the_claims_order(monkeypatch, tmp_path):
    rows = [claim("C9", "small", "supported", 0.5), claim("C9", "large", "not measured"), claim("C1a", "small", "not supported", 0.2, 0.04), claim("C1a", "large", "supported", -0.2, 1e-6)]
    monkeypatch.setattr(blocks.tables, "read", lambda *_: pd.DataFrame(rows))
    assert blocks.claims_block(tmp_path).splitlines() == [
        "| claim | what is claimed | small | large |",
        "| --- | --- | --- | --- |",
        "| C9 | says C9 | supported: 50.0 [40.0, 60.0], n 58 | not measured |",
        "| C1a | says C1a | not supported: +20.0 [+10.0, +30.0], n 58, p 0.040 | supported: -20.0 [-30.0, -10.0], n 58, p < .001 |",
    ]


def test_one_model_has_its_columns_apart(monkeypatch, tmp_path):
    monkeypatch.setattr(blocks.tables, "read", lambda *_: pd.DataFrame([claim("C1a", "small", "supported", -0.2, 0.04)]))
    assert blocks.claims_block(tmp_path).splitlines()[2] == "| C1a | says C1a | supported | -20.0 [-30.0, -10.0] | 58 | 0.040 |"
