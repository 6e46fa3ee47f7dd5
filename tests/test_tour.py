"""docs/tour.ipynb runs from top to bottom."""

import pathlib

import pytest

nbformat = pytest.importorskip("nbformat", reason="nbclient is not installed: pip install '.[test]'")
nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed: pip install '.[test]'")
pytest.importorskip("ipykernel", reason="ipykernel is not installed: pip install '.[test]'")

ROOT = pathlib.Path(__file__).parent.parent
TOUR = ROOT / "docs/tour.ipynb"


def test_no_output_is_kept():
    for cell in nbformat.read(TOUR, as_version=4).cells:
        assert cell.cell_type == "markdown" or (not cell.outputs and cell.execution_count is None)


@pytest.mark.slow
def test_it_runs_and_knows_the_page():
    tour = nbformat.read(TOUR, as_version=4)
    nbclient.NotebookClient(
        tour, timeout=300, kernel_name="python3", resources={"metadata": {"path": ROOT}}
    ).execute()
    outputs = [output for cell in tour.cells if cell.cell_type == "code" for output in cell.outputs]
    said = "".join(
        output.text for output in outputs if output.output_type == "stream" and output.name == "stdout"
    )
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert "patches a second" in said and "test forms" in said and "expected calibration error" in said
    assert len(pictures) == 5
    # The likeliest writer, in the row after the headline, is the one who wrote the page.
    before, _, answer = said.partition("/page.png: ")
    writer, answer = before.rsplit("written by ", 1)[1].split()[0], answer.splitlines()[1]
    assert answer.split()[0] == writer
