"""The report of iam_writer.evaluate in a browser: no errors, no empty pictures, and nothing is cut off."""

import json
import pathlib
import re
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="Chromium is not installed (Debian: apt-get install chromium)"
)

MEASURE = """
<script>
const measure = () => {
  const box = element => {
    const {left, top, right, bottom} = element.getBoundingClientRect();
    return [left, top, right, bottom].map(Math.round);
  };
  const all = name => [...document.querySelectorAll(name)];
  console.log("LAYOUT " + JSON.stringify({
    window: innerWidth,
    width: document.documentElement.scrollWidth,
    images: all("img").map(image => ({box: box(image), loaded: image.complete && image.naturalWidth > 0})),
    cut: all(".wide").filter(one => one.scrollWidth > one.clientWidth).length,
  }));
};
addEventListener("load", measure);
addEventListener("resize", measure);
</script>
"""
HEIGHT = 6000


def faults(text: str, width: int, folder: pathlib.Path) -> list[str]:
    """The faults of a web page in a window of this width."""
    page, picture = folder / "page.html", folder / f"{width}.png"
    page.write_text(text + MEASURE)
    options = "--headless --no-sandbox --disable-gpu --hide-scrollbars --enable-logging=stderr".split()
    options += [f"--user-data-dir={folder / 'profile'}", f"--window-size={width},{HEIGHT}"]
    done = subprocess.run(
        [CHROMIUM, *options, f"--screenshot={picture}", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    layout = json.loads(re.findall(r"LAYOUT (\{.*\})", "\n".join(said))[-1])
    assert layout["window"] == width
    found = [f"console: {line}" for line in said if "LAYOUT" not in line]
    if layout["width"] > width:
        found.append(f"wider than the window: {layout['width']}")
    found += ["a table is cut off"] * layout["cut"]
    with Image.open(picture) as shot:
        assert shot.width == width
        for number, image in enumerate(layout["images"]):
            gray = np.asarray(shot.convert("L").crop(image["box"]))
            if not image["loaded"] or gray.size < 10_000 or (gray < 128).mean() < 0.002:
                found.append(f"image {number} is empty")
    if not layout["images"]:
        found.append("no image")
    return found


@pytest.fixture(scope="module")
def report(evaluated):
    return (evaluated[1] / "report.html").read_text()


@pytest.mark.parametrize("width", [1280, 400])
def test_nothing_is_wrong_with_the_report(report, tmp_path, width):
    assert faults(report, width, tmp_path) == []


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda page: page + "<script>throw new Error('a mishap')</script>", "a mishap"),
        (lambda page: re.sub(r"base64,[^\"]{200}", "base64,", page, count=1), "image 0 is empty"),
        (lambda page: page + "<div style='width: 900px'>wide</div>", "wider than the window"),
        (lambda page: page.replace("<td>", "<td style='min-width: 9rem'>"), "cut off"),
    ],
)
def test_what_would_be_wrong_is_seen(report, tmp_path, harm, message):
    assert any(message in fault for fault in faults(harm(report), 400, tmp_path))
