"""The habits every committed notebook keeps: small cells, one shape, working links, clean outputs.

Reads the notebooks as they are committed and runs none of them.
"""

import ast
import json
import re
from pathlib import Path

import numpy as np
import pytest

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
ALL = sorted(NOTEBOOKS.glob("*.ipynb"))
CHECKED = "NBVAL_CHECK_OUTPUT"
# a folder of somebody's machine; not the middle of a word, of a URL or of a longer path
MACHINE_PATH = re.compile(r"(?<![\w.%-])/(?:home|root|work|tmp|Users|private|mnt)(?:/|\b)")
TYPES = {"str", "int", "float", "bool", "list[str]"}


@pytest.fixture(params=ALL, ids=lambda path: path.stem)
def notebook(request):
    """A notebook's content; `path` is added to it."""
    return {"path": request.param, **json.loads(request.param.read_text(encoding="utf-8"))}


def source(cell) -> str:
    return "".join(cell["source"])


def of_kind(notebook, kind: str) -> list[dict]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == kind]


def prose(notebook) -> str:
    return "\n\n".join(map(source, of_kind(notebook, "markdown")))


def outputs(notebook) -> list[dict]:
    return [output for cell in of_kind(notebook, "code") for output in cell["outputs"]]


def parameters_cells(notebook) -> list[dict]:
    return [cell for cell in notebook["cells"] if "parameters" in cell["metadata"].get("tags", [])]


def strings(value) -> list[str]:
    """Every string inside a JSON value, lists of lines put together as they are read."""
    if isinstance(value, dict):
        return [text for item in value.items() for part in item for text in strings(part)]
    if isinstance(value, list):
        lines = all(isinstance(part, str) for part in value)
        return ["".join(value)] if lines else [text for part in value for text in strings(part)]
    return [value] if isinstance(value, str) else []


def shown(output: dict) -> list[str]:
    """What a reader sees of an output; images are left out, their base64 text holds any word by chance."""
    data = {kind: value for kind, value in output.get("data", {}).items() if kind not in ("image/png", "image/jpeg")}
    return strings([data, output.get("text", "")])


def test_there_are_notebooks():
    assert ALL


def test_number_of_cells(notebook):
    assert 20 <= len(notebook["cells"]) <= 32


def test_code_cells_are_small(notebook):
    lines = [sum(bool(line.strip()) for line in source(cell).split("\n")) for cell in of_kind(notebook, "code")]
    assert np.median(lines) <= 5
    assert np.percentile(lines, 90) <= 16


def test_about_as_many_markdown_as_code_cells(notebook):
    ratio = len(of_kind(notebook, "markdown")) / len(of_kind(notebook, "code"))
    assert 0.6 <= ratio <= 1.4


def test_one_parameters_cell_with_typed_and_commented_lines_alone(notebook):
    (cell,) = parameters_cells(notebook)
    lines = source(cell).split("\n")
    statements = ast.parse(source(cell)).body
    assert [statement.lineno for statement in statements] == list(range(1, len(lines) + 1)), "one statement a line"
    for statement, line in zip(statements, lines):
        assert isinstance(statement, ast.AnnAssign) and statement.value is not None, f"not `name: type = value`: {line}"
        assert ast.unparse(statement.annotation) in TYPES, line
        ast.literal_eval(statement.value)
        assert re.match(r"  # \S", line[statement.end_col_offset :]), f"no comment: {line}"


def test_opens_with_title_question_and_what_it_takes(notebook):
    first = notebook["cells"].index(parameters_cells(notebook)[0])
    opening = notebook["cells"][:first]
    assert opening and all(cell["cell_type"] == "markdown" for cell in opening)
    text = "\n\n".join(map(source, opening))
    assert re.match(r"# \S", text)
    assert "**Question.**" in text
    assert "**You will learn**" in text
    (facts,) = [line for line in text.split("\n") if line.startswith("**Input:**")]
    assert re.findall(r"\*\*(\w+):\*\*", facts) == ["Input", "Output", "Runtime", "Hardware"]


def test_functions_are_three_lines_at_most(notebook):
    code = [ast.parse(source(cell)) for cell in of_kind(notebook, "code")]
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    long = [node.name for tree in code for node in ast.walk(tree) if isinstance(node, kinds) and node.end_lineno - node.lineno >= 3]
    assert not long, "the package computes, the notebook calls"


def test_ends_with_what_we_saw(notebook):
    last = notebook["cells"][-1]
    assert last["cell_type"] == "markdown"
    assert re.search(r"^## What we saw\n\n\S", source(last), re.MULTILINE)


def test_links_lead_to_files(notebook):
    links = re.findall(r"\]\(([^)#\s]+)", prose(notebook))
    missing = [link for link in links if "://" not in link and not (NOTEBOOKS / link).exists()]
    assert not missing


def test_links_to_the_previous_and_the_next_notebook(notebook):
    ending = source(notebook["cells"][-1])
    place = ALL.index(notebook["path"])
    if place > 0:
        assert re.search(rf"Previous: \[[^\]]+\]\({ALL[place - 1].name}\)", ending)
    if place < len(ALL) - 1:
        assert re.search(rf"Next: \[[^\]]+\]\({ALL[place + 1].name}\)", ending)


def test_some_cells_are_checked_by_nbval(notebook):
    assert 1 <= sum(CHECKED in source(cell) for cell in of_kind(notebook, "code")) <= 5


def test_outputs_are_committed(notebook):
    assert outputs(notebook), "run it and commit the outputs (`make publish`)"
    silent = [source(cell) for cell in of_kind(notebook, "code") if CHECKED in source(cell) and not cell["outputs"]]
    assert not silent, "nbval has nothing to compare with"


def test_no_widgets(notebook):
    assert "widgets" not in notebook["metadata"]
    kinds = {kind for output in outputs(notebook) for kind in output.get("data", {})}
    assert not [kind for kind in kinds if "widget" in kind]


def test_no_stderr_and_no_errors(notebook):
    assert not [output for output in outputs(notebook) if output["output_type"] == "error"]
    assert not [output for output in outputs(notebook) if output.get("name") == "stderr"]


def test_no_machine_paths_in_sources_or_outputs(notebook):
    read = [source(cell) for cell in notebook["cells"]] + [text for output in outputs(notebook) for text in shown(output)]
    found = [match[0] for text in read for match in MACHINE_PATH.finditer(text)]
    assert not found


def test_no_machine_paths_in_metadata(notebook):
    kept = [notebook["metadata"], *(cell["metadata"] for cell in notebook["cells"])]
    assert not [text for text in strings(kept) if MACHINE_PATH.search(text)]
    papermill = notebook["metadata"].get("papermill", {})
    assert not {key for key in ("input_path", "output_path") if papermill.get(key)}


@pytest.mark.parametrize(
    ("text", "is_machine_path"),
    [
        ("see /home/ann/study", True), ("'/tmp'", True), ("file:///root/x", True), ('"/work/main"', True),
        ("https://example.org/home/page", False), ("and/work", False), ("runs/tmp/x", False), ("/homework", False),
        ("../work/x", False),
    ],
)  # fmt: skip
def test_what_counts_as_a_machine_path(text, is_machine_path):
    assert bool(MACHINE_PATH.search(text)) == is_machine_path
