"""Artifacts are whole or not there: atomic writing, manifests, stamps, and the finished items of a killed stage."""

import errno
import json
import os

import pytest
import torch

from rational_utils.study import provenance
from rational_utils.study.errors import StudyError
from rational_utils.study.keep import Keep
from rational_utils.study.provenance import Stage, atomic, manifest_path, require, sha256

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def fail(*_arguments, **_options):
    raise FULL


@pytest.fixture
def old(tmp_path):
    target = tmp_path / "table.csv"
    target.write_text("old")
    return target


@pytest.fixture
def old_folder(tmp_path):
    target = tmp_path / "adapter"
    target.mkdir()
    (target / "weights").write_text("old")
    return target


@pytest.fixture
def stage(study):
    study.runs.mkdir(parents=True)
    given = study.runs / "given.txt"
    given.write_text("given")
    return Stage(study, "03_lora_finetuning", "rational", 4, inputs=(given,), settings={"rank": 4})


@pytest.fixture
def artifact(stage):
    made = stage.study.runs / "made.txt"
    made.write_text("made")
    stage.keep(made)
    return made


def test_atomic_makes_folders_and_replaces_a_file(old):
    with atomic(old) as draft:
        draft.write_text("new")
        assert old.read_text() == "old"
    with atomic(old.parent / "a" / "b.txt") as draft:
        draft.write_text("deep")
    assert old.read_text() == "new" and (old.parent / "a" / "b.txt").read_text() == "deep"
    assert names(old.parent) == ["a", "table.csv"] and names(old.parent / "a") == ["b.txt"]


def test_atomic_replaces_a_folder_as_a_whole(old_folder):
    with atomic(old_folder) as draft:
        draft.mkdir()
        (draft / "other").write_text("new")
    assert names(old_folder) == ["other"] and names(old_folder.parent) == ["adapter"]


def test_atomic_starts_from_an_empty_draft(old):
    (old.parent / ".table.csv.draft").write_text("left by a killed process")
    with atomic(old) as draft:
        assert not draft.exists()
        draft.write_text("new")
    assert old.read_text() == "new"


def test_a_failing_body_leaves_the_old_file_and_no_draft(old):
    with pytest.raises(ZeroDivisionError), atomic(old) as draft:
        draft.write_text("half")
        1 / 0
    assert old.read_text() == "old" and names(old.parent) == ["table.csv"]


def test_a_failing_body_leaves_the_old_folder_and_no_draft(old_folder):
    with pytest.raises(ZeroDivisionError), atomic(old_folder) as draft:
        draft.mkdir()
        (draft / "weights").write_text("half")
        1 / 0
    assert (old_folder / "weights").read_text() == "old" and names(old_folder.parent) == ["adapter"]


def one_line(caught, target):
    message = str(caught.value)
    assert "\n" not in message and str(target) in message and "No space left" in message and "free space" in message


def test_a_disk_that_fills_while_writing_is_said_in_one_line(old):
    with pytest.raises(StudyError) as caught, atomic(old), open("/dev/full", "w") as stream:
        stream.write("x" * 100_000)
    one_line(caught, old)
    assert old.read_text() == "old" and names(old.parent) == ["table.csv"]


def test_a_disk_that_is_full_when_replacing_leaves_the_old_file(old, monkeypatch):
    monkeypatch.setattr(provenance.os, "replace", fail)
    with pytest.raises(StudyError) as caught, atomic(old) as draft:
        draft.write_text("new")
    one_line(caught, old)
    assert old.read_text() == "old" and names(old.parent) == ["table.csv"]


def test_a_disk_that_is_full_when_replacing_leaves_the_old_folder(old_folder, monkeypatch):
    monkeypatch.setattr(provenance.os, "replace", fail)
    with pytest.raises(StudyError), atomic(old_folder) as draft:
        draft.mkdir()
    assert (old_folder / "weights").read_text() == "old"


def test_a_disk_that_fills_while_torch_saves_is_said_in_one_line(old):
    with pytest.raises(StudyError), atomic(old) as draft:
        draft.symlink_to("/dev/full")
        torch.save({"weights": torch.zeros(100_000)}, draft)


def test_an_unwritable_place_is_said_in_one_line(old):
    with pytest.raises(StudyError, match="cannot write"), atomic(old / "below-a-file") as draft:
        draft.write_text("x")


def test_a_folders_hash_sees_names_and_contents(tmp_path):
    for name in ("a", "b", "c", "d"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text("1")
    (tmp_path / "b" / "x").write_text("2")
    (tmp_path / "c" / "x").rename(tmp_path / "c" / "y")
    assert sha256(tmp_path / "a") == sha256(tmp_path / "d")
    assert len({sha256(tmp_path / name) for name in "abc"}) == 3


def test_require_accepts_a_whole_artifact(artifact):
    assert require(artifact) == artifact


@pytest.mark.parametrize("harm", ["artifact gone", "manifest gone"])
def test_require_refuses_what_was_not_made(artifact, harm):
    (artifact if harm == "artifact gone" else manifest_path(artifact)).unlink()
    with pytest.raises(StudyError, match=r"made\.txt: not made yet") as caught:
        require(artifact)
    assert "\n" not in str(caught.value)


def test_require_refuses_an_altered_artifact(artifact):
    artifact.write_text("made by hand")
    with pytest.raises(StudyError, match=r"made\.txt: differs from its manifest"):
        require(artifact)


def test_require_refuses_an_altered_folder(stage, old_folder):
    stage.keep(old_folder)
    assert require(old_folder) == old_folder
    (old_folder / "more").write_text("x")
    with pytest.raises(StudyError, match="differs"):
        require(old_folder)


def test_manifest_says_what_made_the_artifact(artifact, stage):
    facts = json.loads(manifest_path(artifact).read_text())
    assert facts["artifact"] == "made.txt" and facts["sha256"] == sha256(artifact)
    assert (facts["stage"], facts["method"], facts["seed"], facts["settings"]) == ("03_lora_finetuning", "rational", 4, {"rank": 4})
    assert facts["inputs"] == {"given.txt": sha256(stage.inputs[0])}
    assert facts["profile"]["name"] == "smoke" and facts["profile"]["training"]["rank"] == 4
    assert facts["packages"]["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert facts["commit"] and facts["device"] == "cpu" and facts["dtype"] == "" and facts["seconds"] >= 0 and facts["peak_mb"] > 0


def test_finish_writes_the_stages_row_and_a_stamp_that_lists_the_artifacts(artifact, stage):
    stage.finish()
    study = stage.study
    header, row, end = study.part("stages", "03_lora_finetuning-rational", 4).read_text().split("\n")
    assert header == "stage,model,method,seed,seconds,peak_mb,device,dtype" and row.startswith("03_lora_finetuning,tiny,rational,4,") and not end
    assert row.count(",") == header.count(",")
    assert provenance.stamped(study.stamp("03_lora_finetuning", "rational", 4)) == ["made.txt.manifest.json"]


def test_a_stage_that_ends_again_leaves_another_stamp(artifact, stage):
    stamp = stage.study.stamp("03_lora_finetuning", "rational", 4)
    stage.finish()
    before = stamp.read_text()
    stage.finish()
    assert stamp.read_text() != before


def test_no_stamp_when_the_stages_row_cannot_be_written(artifact, stage, monkeypatch):
    replace = os.replace
    monkeypatch.setattr(provenance.os, "replace", lambda draft, target: fail() if target.suffix == ".csv" else replace(draft, target))
    with pytest.raises(StudyError):
        stage.finish()
    assert not stage.study.stamp("03_lora_finetuning", "rational", 4).exists()


def test_no_manifest_and_no_stamp_when_the_disk_is_full(stage, monkeypatch):
    made = stage.study.runs / "made.txt"
    made.write_text("made")
    monkeypatch.setattr(provenance.os, "replace", fail)
    with pytest.raises(StudyError):
        stage.keep(made)
    with pytest.raises(StudyError):
        stage.finish()
    assert stage.kept == [] and names(stage.study.runs) == ["given.txt", "made.txt", "parts"]


def test_a_machine_without_git_has_an_unknown_commit(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance.commit() == "unknown"


def test_outside_a_checkout_the_commit_is_unknown(monkeypatch, tmp_path):
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.commit() == "unknown"


def test_keep_finds_again_what_was_put(tmp_path):
    store = Keep(tmp_path / "deep" / "kept.jsonl")
    assert store.get("a") is None
    store.put("a", {"text": "one\ntwo"})
    store.put("b", [1, None])
    again = Keep(tmp_path / "deep" / "kept.jsonl")
    assert again.get("a") == {"text": "one\ntwo"} and again.get("b") == [1, None] and again.get("c") is None


def test_keep_takes_the_newest_of_a_key(tmp_path):
    store = Keep(tmp_path / "kept")
    store.put("a", 1)
    store.put("a", 2)
    assert Keep(tmp_path / "kept").get("a") == 2


@pytest.mark.parametrize("half", ['["b", "cut of', '["b", 2]', '["b", "\\u20'])
def test_keep_forgets_a_half_written_line_and_goes_on_behind_it(tmp_path, half):
    path = tmp_path / "kept"
    Keep(path).put("a", 1)
    path.write_text(path.read_text() + half)
    store = Keep(path)
    assert store.items == {"a": 1}
    store.put("c", 3)
    assert Keep(path).items == {"a": 1, "c": 3}


def test_keep_survives_a_first_line_cut_off(tmp_path):
    (tmp_path / "kept").write_text('["a", "half')
    store = Keep(tmp_path / "kept")
    store.put("b", 2)
    assert Keep(tmp_path / "kept").items == {"b": 2}


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\x85", "\r", "\x1c"])
def test_keep_does_not_split_at_line_separators_inside_strings(tmp_path, mark):
    path = tmp_path / "kept"
    Keep(path).put("a" + mark, f"one{mark}two")
    assert Keep(path).items == {"a" + mark: f"one{mark}two"}
    path.write_text(json.dumps(["raw", "one\u2028two"], ensure_ascii=False) + "\n", encoding="utf-8")
    assert Keep(path).items == {"raw": "one\u2028two"}


def test_keep_discards_its_file(tmp_path):
    store = Keep(tmp_path / "kept")
    store.put("a", 1)
    store.discard()
    store.discard()
    assert names(tmp_path) == []


def test_keep_says_in_one_line_that_the_disk_is_full(tmp_path):
    store = Keep(tmp_path / "kept")
    (tmp_path / "kept").symlink_to("/dev/full")
    with pytest.raises(StudyError):
        store.put("a", 1)
