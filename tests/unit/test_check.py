"""What stops a study before anything runs: sources that are not there, all of them named, and tasks that do not exist."""

import pytest

from rational_utils.__main__ import main
from rational_utils.corpus import urls, wheels


def refusal(capsys, *arguments) -> str:
    assert main(["check", *arguments]) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    return message


@pytest.mark.parametrize("profile", ["quick", "cpu"])
def test_an_unknown_task_lists_the_known_ones(folders, capsys, profile):
    message = refusal(capsys, "--profile", profile, "--set", "benchmarks={truthfulqa: 3}", "--set", "as_trained={}")
    assert f"profile {profile}, benchmarks" in message and "'truthfulqa'" in message and all(name in message for name in ("truthfulqa_mc1", "mmlu_subset", "gsm8k"))


def test_a_task_that_is_not_asked_as_trained_is_refused(folders, capsys):
    assert "gsm8k: not asked as trained" in refusal(capsys, "--profile", "cpu", "--set", "as_trained={gsm8k: 3}")


def test_every_file_that_cannot_be_had_is_named_with_where_to_put_it(folders, capsys, monkeypatch):
    monkeypatch.setenv("RATIONAL_DATA_MIRROR", str(folders / "mirror"))
    monkeypatch.setattr(wheels, "fetch", lambda wheel: None)
    message = refusal(capsys, "--profile", "cpu")
    assert all(page.path in message and str(folders / "mirror" / page.path.split("/")[0]) in message for page in urls.pages().values())
