"""One list of dependencies, one list of versions: pyproject, constraints, conda's file and the documents must agree."""

import os
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
DIRECT = {
    canonicalize_name(requirement.name): requirement
    for requirement in map(Requirement, PROJECT["dependencies"] + [line for extra in EXTRAS.values() for line in extra])
}
# pip is what reads the constraints: an environment brings its own, and must not replace it while it is at work
UNPINNED = {"pip"}


def _constraints() -> list[Requirement]:
    lines = (ROOT / "constraints.txt").read_text().split("\n")
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def _pin(requirement: Requirement) -> str:
    (specifier,) = requirement.specifier
    assert specifier.operator == "==" and "*" not in specifier.version, f"{requirement} is not one exact version"
    return specifier.version


def test_every_constraint_is_one_exact_public_version():
    names = [canonicalize_name(requirement.name) for requirement in _constraints()]
    assert sorted(names) == sorted(set(names))
    local = [str(requirement) for requirement in _constraints() if Version(_pin(requirement)).local]
    assert not local, f"a local version can be had in one place only: {local}"


@pytest.mark.parametrize("name", sorted(set(DIRECT) - UNPINNED))
def test_direct_dependency_is_pinned_and_the_pin_satisfies_pyproject(name):
    pins = {canonicalize_name(requirement.name): _pin(requirement) for requirement in _constraints()}
    assert name in pins, f"{name} is missing in constraints.txt"
    assert DIRECT[name].specifier.contains(pins[name], prereleases=True), f"{DIRECT[name]} excludes {pins[name]}"


def test_torch_is_the_same_version_everywhere():
    pinned = [str(requirement) for requirement in _constraints() if requirement.name == "torch"]
    assert str(DIRECT["torch"]) == "torch==2.13.0"
    assert pinned == ["torch==2.13.0"]


def test_conda_installs_this_project_under_the_constraints_on_the_same_python():
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    conda = [line for line in listed if isinstance(line, str)]
    (by_pip,) = (line["pip"] for line in listed if isinstance(line, dict))
    assert by_pip == ["-c constraints.txt", "-e .[dev]"]
    assert "pip" in conda and len(conda) == 2, "packages belong in pyproject.toml, not in environment.yml"
    (python,) = (line.removeprefix("python=") for line in conda if line.startswith("python="))
    assert Version(python) in SpecifierSet(PROJECT["requires-python"])
    assert re.search(rf"^PYTHON \?= python{re.escape(python)}$", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_make_installs_under_the_constraints():
    installs = [line for line in (ROOT / "Makefile").read_text().split("\n") if "pip install" in line]
    newer_pip, study, peer = installs  # older ones go back and forth over versions for minutes
    assert "'pip>=23.1'" in newer_pip
    assert "--constraint constraints.txt" in study and "--editable '.[dev]'" in study
    assert "--no-deps --target .peers" in peer and "==" in peer  # beside the environment, not in it


def test_every_direct_dependency_has_one_line_in_the_documents():
    lines = (ROOT / "docs" / "dependencies.md").read_text().split("\n")
    described = [canonicalize_name(found[1]) for line in lines if (found := re.match(r"\| `([^`]+)` \|", line))]
    assert sorted(described) == sorted(DIRECT)


def test_readme_names_the_commands_and_continuous_integration_uses_one_of_them():
    readme, ci = (ROOT / "README.md").read_text(), ROOT / ".ci" / "run"
    makes = re.findall(r"^make \w+$", ci.read_text(), re.MULTILINE)
    assert makes == ["make test"]
    assert os.access(ci, os.X_OK)
    for command in ["make reproduce", *makes]:
        assert re.search(rf"^{command}\b", readme, re.MULTILINE), f"README does not show {command}"
        assert re.search(rf"^{command.removeprefix('make ')}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("block", ["cost-quick", "results-quick", "claims-quick", "cost-cpu", "results-cpu", "claims-cpu"])
def test_readme_has_a_place_for_each_block_that_code_writes(block):
    readme = (ROOT / "README.md").read_text()
    begin, end = f"<!-- {block}:begin -->", f"<!-- {block}:end -->"
    assert readme.count(begin) == readme.count(end) == 1
    assert readme.index(begin) < readme.index(end)
