"""The contents of the wheel, and the command that lists all programs."""

import itertools
import pathlib
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile

import pytest
from conftest import run_module
from forks import PROGRAM, WITHOUT_TENSORFLOW, Fork

from iam_writer import __main__, __version__

ROOT = pathlib.Path(__file__).parents[1]
DATA = {"README.md", "CITATIONS.bib", "TAGS.txt", "py.typed", "reference.npz"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel. It is built from a copy, so that the build leaves no files in the tree."""
    folder = tmp_path_factory.mktemp("wheel")
    for package in ("iam_writer", "pipelines"):
        shutil.copytree(ROOT / package, folder / "source" / package)
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / "source")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", folder / "source", "--no-deps", "-w", folder],
        capture_output=True,
        text=True,
    )
    if done.returncode and "No matching distribution" in done.stderr:
        pytest.skip("setuptools, which builds the wheel, cannot be downloaded")
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name).decode(errors="replace") for name in archive.namelist()}


@pytest.mark.slow  # pip makes an environment and installs setuptools into it.
def test_the_wheel_has_all_modules_and_data_and_nothing_else(wheel):
    in_tree = {
        path.relative_to(ROOT).as_posix()
        for package in ("iam_writer", "pipelines")
        for path in (ROOT / package).rglob("*")
        if path.suffix in (".py", ".flags") or path.name in DATA
    }
    assert {
        "iam_writer/flagfiles/quickstart.flags",
        "iam_writer/py.typed",
        "pipelines/py.typed",
        "iam_writer/recognition/reference.npz",
    } <= in_tree
    assert {"iam_writer/README.md", "iam_writer/CITATIONS.bib", "iam_writer/TAGS.txt"} <= in_tree
    assert {name for name in wheel if ".dist-info/" not in name} == in_tree


@pytest.mark.slow
def test_the_wheel_says_what_it_is(wheel):
    (metadata,) = (text for name, text in wheel.items() if name.endswith(".dist-info/METADATA"))
    assert f"\nVersion: {__version__}\n" in metadata
    assert "\nLicense-Expression: Apache-2.0\n" in metadata
    assert any(name.endswith("LICENSE") and "Apache License" in text for name, text in wheel.items())
    (commands,) = (text for name, text in wheel.items() if name.endswith("entry_points.txt"))
    assert "iam-writer = iam_writer.__main__:main" in commands


def test_version_is_the_same_everywhere():
    citation = (ROOT / "CITATION.cff").read_text()
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(r"^version: (.+)$", citation, re.M).group(1) == __version__
    date = re.search(r"^date-released: (.+)$", citation, re.M).group(1)
    assert re.search(r"^## (\d.+)$", changelog, re.M).group(1) == f"{__version__} ({date})"


def test_build_md_gives_a_reason_for_each_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = [*project["dependencies"], *itertools.chain(*project["optional-dependencies"].values())]
    names = {re.match(r"[\w-]+", line).group().removesuffix("-cuda120") for line in needed}
    reasons = (ROOT / "BUILD.md").read_text()
    assert sorted(name for name in names if name not in reasons) == []


def front_door(*arguments):
    return Fork(WITHOUT_TENSORFLOW + PROGRAM, "iam_writer", *arguments).wait()


@pytest.mark.parametrize("arguments", [(), ("--help",)])
def test_the_front_door_lists_every_program_in_one_line(arguments):
    done = front_door(*arguments)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    for module, what in __main__.ALL.values():
        assert sum(line.split()[-len(what.split()) :] == what.split() for line in lines) == 1, module


def test_every_program_is_listed():
    programs = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for package in ("iam_writer", "pipelines")
        for path in (ROOT / package).rglob("*.py")
        if re.search(r"^    (app\.run|command_line\.start)\(main\b.*\)$", path.read_text(), re.M)
    }
    assert programs == {module for module, _ in __main__.ALL.values()}


@pytest.mark.slow
def test_a_program_is_run_with_its_arguments():
    by_name, by_module = front_door("train", "--help"), run_module("train", "--help")
    assert "--workdir" in by_name.stdout
    assert by_name.stdout == by_module.stdout
    assert by_name.returncode == by_module.returncode
    wrong = front_door("identify", "--checkpoint=gone.keras", "gone.png")
    assert wrong.returncode == 1 and "gone" in wrong.stderr and "Traceback" not in wrong.stderr


@pytest.mark.parametrize(
    "name, sentence",
    [
        ("trian", "There is no program 'trian'. Did you mean trial or train?\n"),
        ("--flagfile=x", "There is no program '--flagfile=x'. `iam-writer --help` lists the programs.\n"),
    ],
)
def test_an_unknown_name_is_told_in_one_sentence(name, sentence):
    done = front_door(name)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", sentence)
