"""Notebooks as stages: parameters checked before anything runs, one clear line when a notebook fails, stamps that tell the truth."""

import nbformat
import pytest

from rational_utils.study import settings, stages
from rational_utils.study.errors import StudyError
from rational_utils.study.provenance import Stage, manifest_path

PARAMETERS = 'profile: str = "smoke"  # which profile\noverrides: list[str] = []\nmethod: str = "rational"\nseed: int = 0\nshare: float = 0.5\nloud: bool = False\nnote: str = "none"'


def write(name, *cells, parameters=PARAMETERS, tag="parameters"):
    book = nbformat.v4.new_notebook(metadata={"language_info": {"name": "python"}})
    book.cells = [nbformat.v4.new_markdown_cell("# Title"), nbformat.v4.new_code_cell(parameters, metadata={"tags": [tag]})]
    book.cells += [nbformat.v4.new_code_cell(cell) for cell in cells]
    for number, cell in enumerate(book.cells):
        cell["id"] = f"cell-{number}"
    nbformat.write(book, stages.NOTEBOOKS / f"{name}.ipynb")
    return stages.NOTEBOOKS / f"{name}.ipynb"


@pytest.fixture(autouse=True)
def notebooks(folders, monkeypatch):
    """A temporary folder of notebooks; what `run` sets in the environment is undone."""
    (folders / "notebooks").mkdir()
    monkeypatch.setattr(stages, "NOTEBOOKS", folders / "notebooks")
    for name in (*stages.KERNEL_ENVIRONMENT, "PYTHONPATH", "RATIONAL_PROGRESS", "RATIONAL_PROGRESS_SECONDS"):
        monkeypatch.setenv(name, "")
    write("03_lora_finetuning")
    write("04_evaluation")


def refusal(function, *arguments):
    with pytest.raises(StudyError) as caught:
        function(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_parameters_are_read_with_type_and_default():
    assert stages.parameters(stages.NOTEBOOKS / "03_lora_finetuning.ipynb") == {
        "profile": (str, "smoke"), "overrides": (list[str], []), "method": (str, "rational"), "seed": (int, 0),
        "share": (float, 0.5), "loud": (bool, False), "note": (str, "none"),
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(path.stem for path in (settings.ROOT / "notebooks").glob("*.ipynb")))
def test_committed_notebooks_have_typed_parameters_that_pass_their_own_check(name, monkeypatch):
    monkeypatch.setattr(stages, "NOTEBOOKS", settings.ROOT / "notebooks")
    declared = stages.parameters(stages.NOTEBOOKS / f"{name}.ipynb")
    assert "profile" in declared
    assert stages.checked(name, {}) == {key: default for key, (_, default) in declared.items()}


@pytest.mark.parametrize("tags", [0, 2])
def test_a_notebook_needs_one_tagged_cell(tags):
    path = write("03_lora_finetuning", tag="setup")
    book = nbformat.read(path, as_version=4)
    book.cells += [nbformat.v4.new_code_cell("x: int = 1", metadata={"tags": ["parameters"]}) for _ in range(tags)]
    nbformat.write(book, path)
    message = refusal(stages.parameters, path)
    assert "03_lora_finetuning.ipynb" in message and f"{tags} cells tagged `parameters`" in message


def test_given_parameters_are_completed_by_defaults():
    made = stages.checked("03_lora_finetuning", {"method": "refusal_sft", "note": "true", "share": 1})
    assert made == {"profile": "smoke", "overrides": [], "method": "refusal_sft", "seed": 0, "share": 1, "loud": False, "note": "true"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"sead": 1}, ("sead", "unknown field", "got 1", "seed: int")),
        ({"seed": "x"}, ("seed", "'x'", "integer")),
        ({"seed": "1"}, ("seed", "'1'", "integer")),
        ({"seed": True}, ("seed", "True", "integer")),
        ({"seed": 1.0}, ("seed", "1.0", "integer")),
        ({"note": 7}, ("note", "got 7", "string")),
        ({"note": True}, ("note", "True", "string")),
        ({"share": "1e-4"}, ("share", "'1e-4'", "number")),
        ({"loud": "true"}, ("loud", "'true'", "boolean")),
        ({"overrides": "training.epochs=1"}, ("overrides", "list")),
        ({"overrides": [1]}, ("overrides.0", "got 1", "string")),
        ({"profile": "smok"}, ("'smok'", "smoke", "quick")),
        ({"overrides": ["training.epoch=1"]}, ("training.epoch", "unknown field")),
        ({"method": "circuit"}, ("method", "'circuit'", "refusal_sft, rational")),
        ({"method": "base"}, ("method", "'base'", "allowed: refusal_sft, rational")),
        ({"method": "circuit_breaker"}, ("method", "'circuit_breaker'", "allowed: refusal_sft, rational")),
        ({"seed": 5}, ("seed", "got 5", "allowed: 0")),
        ({"overrides": ["methods=[base, rational]"], "method": "refusal_sft"}, ("'refusal_sft'", "allowed: rational")),
    ],
)
def test_a_bad_parameter_is_named_with_what_is_allowed(given, said):
    message = refusal(stages.checked, "03_lora_finetuning", given)
    assert all(part in message for part in said), message


def test_base_is_evaluated_though_not_trained():
    assert stages.checked("04_evaluation", {"method": "base"})["method"] == "base"


def test_base_is_evaluated_under_the_seed_that_the_study_gives_it():
    study = settings.load("smoke", ["seeds=[1]"])
    _, method, seed = study.evaluated()[0]
    stages.checked("04_evaluation", {"method": method, "seed": seed, "overrides": ["seeds=[1]"]})


def test_an_unknown_notebook_lists_the_known_ones():
    message = refusal(stages.checked, "05_nothing", {})
    assert "'05_nothing'" in message and "03_lora_finetuning, 04_evaluation" in message


def test_an_unknown_type_of_parameter_is_named():
    path = write("03_lora_finetuning", parameters="sizes: dict = {}")
    assert "sizes" in refusal(stages.parameters, path)


def test_run_executes_with_the_given_parameters_and_puts_the_output_into_runs(study):
    original = write("04_evaluation", "doubled = 2 * seed + 1\nprint(method, doubled, overrides)").read_bytes()
    made = stages.run("04_evaluation", {"method": "rational", "overrides": ["seeds=[0, 3]"], "seed": 3})
    assert made == study.runs / "notebooks" / "04_evaluation.tiny.rational-s3.ipynb"
    outputs = [output for cell in nbformat.read(made, as_version=4).cells for output in cell.get("outputs", [])]
    assert [output["text"] for output in outputs] == ["rational 7 ['seeds=[0, 3]']\n"]
    assert (stages.NOTEBOOKS / "04_evaluation.ipynb").read_bytes() == original


def test_a_failing_notebook_gives_one_line_naming_its_error(study):
    write("04_evaluation", "raise ValueError('the kettle is empty\\nsecond line')", "print('never')")
    message = refusal(stages.run, "04_evaluation", {})
    assert "04_evaluation.tiny.rational-s0: ValueError: the kettle is empty" in message and "second line" not in message
    assert "04_evaluation.tiny.rational-s0.ipynb" in message and (study.notebooks / "04_evaluation.tiny.rational-s0.ipynb").exists()


def test_a_kernel_that_dies_is_said_in_one_line(study):
    write("04_evaluation", "import os\nos._exit(9)")
    assert "04_evaluation" in refusal(stages.run, "04_evaluation", {})


def test_bad_parameters_are_refused_before_anything_runs(study):
    refusal(stages.run, "04_evaluation", {"seed": "x"})
    assert not study.runs.exists()


def test_code_fingerprint_changes_with_the_code_alone():
    path = write("04_evaluation", "1 + 1", "2 + 2")
    first = stages.code_fingerprint("04_evaluation")
    book = nbformat.read(path, as_version=4)
    book.cells[0].source = "# Another title"
    book.cells.append(nbformat.v4.new_markdown_cell("More words"))
    book.cells[2].outputs = [nbformat.v4.new_output("stream", text="2\n")]
    book.cells[2].execution_count = 9
    book.cells[2].metadata["note"] = "x"
    nbformat.write(book, path)
    assert stages.code_fingerprint("04_evaluation") == first
    book.cells[3].source = "2 + 3"
    nbformat.write(book, path)
    assert stages.code_fingerprint("04_evaluation") != first


def test_code_fingerprint_changes_with_the_rooms_it_names(folders, monkeypatch):
    package = folders / "rational_utils"
    (package / "attacks").mkdir(parents=True)
    for file in ("attacks/one.py", "harness.py", "other.py"):
        (package / file).write_text("x = 1")
    monkeypatch.setattr(stages, "ROOT", folders)

    def fingerprint():
        return stages.code_fingerprint("04_evaluation", "attacks", "harness")

    seen = [fingerprint()]
    (package / "other.py").write_text("x = 2")
    assert fingerprint() == seen[0] != stages.code_fingerprint("04_evaluation")
    for file in ("attacks/one.py", "harness.py", "attacks/new.py", "attacks/words.yaml", "attacks/weights.json"):
        (package / file).write_text("x = 3")
        seen.append(fingerprint())
    assert len(set(seen)) == 6


@pytest.fixture
def stamped(study):
    """Three finished stages: one with two artifacts, one with a folder, one that kept nothing."""
    study.runs.mkdir(parents=True)
    for name in ("one", "two"):
        (study.runs / name).write_text(name)
    (study.runs / "folder").mkdir()
    for stage, artifacts in (("first", ("one", "two")), ("second", ("folder",)), ("third", ())):
        running = Stage(study, stage, "rational", 2)
        for name in artifacts:
            running.keep(study.runs / name)
        running.finish()
    return study


def stamps(study):
    return {path.name.split(".")[0] for path in (study.runs / "stamps").iterdir()}


def test_stamps_of_whole_artifacts_stay(stamped):
    stages.forget_broken(stamped)
    assert stamps(stamped) == {"first", "second", "third"}


@pytest.mark.parametrize("manifest", [False, True])
def test_only_the_stamp_of_the_missing_artifact_is_dropped(stamped, manifest):
    gone = stamped.runs / "two"
    (manifest_path(gone) if manifest else gone).unlink()
    stages.forget_broken(stamped)
    assert stamps(stamped) == {"second", "third"}


def test_a_missing_folder_drops_its_stamp(stamped):
    (stamped.runs / "folder").rmdir()
    stages.forget_broken(stamped)
    assert stamps(stamped) == {"first", "third"}


def test_nothing_to_forget_before_the_first_run(study):
    stages.forget_broken(study)
    assert not study.runs.exists()


def test_a_stage_that_has_run_is_not_run_again(stamped, monkeypatch):
    monkeypatch.setattr(stages, "snakemake", lambda *_: pytest.fail("started again"))
    stages.bring(stamped, "first", "rational", 2)


def test_a_stage_that_has_not_run_is_brought_and_its_failure_said(stamped, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(stages, "snakemake", lambda study, target: asked.append(target) or 1)
    assert "fourth (all, seed 0) failed" in refusal(stages.bring, stamped, "fourth")
    assert asked == ["stamps/fourth.tiny.all-s0"] and "fourth has not run yet" in capsys.readouterr().out
