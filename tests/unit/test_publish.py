"""What may not be published is refused before anything is copied."""

import pytest

from rational_utils.results import publish
from rational_utils.study import settings
from rational_utils.study.errors import StudyError


@pytest.mark.parametrize(
    ("profile", "overrides", "said"),
    [("smoke", [], "noise"), ("quick", ["attacks.split=validation"], "validation"), ("quick", [], "not finished")],
)
def test_it_refuses(folders, profile, overrides, said):
    with pytest.raises(StudyError, match=said):
        publish.publish(settings.load(profile, overrides))
