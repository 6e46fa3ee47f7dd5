"""Opens a web page in Chromium."""

import json
import pathlib
import re
import shutil
import subprocess

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

OPTIONS = "--headless --no-sandbox --disable-gpu --hide-scrollbars --enable-logging=stderr".split()


def browse(text: str, width: int, folder: pathlib.Path) -> tuple[dict, list[str]]:
    """Opens a page in a window of this width.

    Args:
      text: the page. A script in it says what it has seen: console.log("TRIED " + JSON).
      width: of the window, in pixels.
      folder: for the page, and for its picture, <width>.png.

    Returns:
      What the script said last, and other messages of the console.
    """
    (folder / "page.html").write_text(text)
    options = [*OPTIONS, f"--user-data-dir={folder / 'profile'}", f"--window-size={width},2000"]
    done = subprocess.run(
        [CHROMIUM, *options, f"--screenshot={folder / f'{width}.png'}", (folder / "page.html").as_uri()],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    return (
        json.loads(re.findall(r"TRIED (\{.*\})", "\n".join(said))[-1]),
        [line for line in said if "TRIED" not in line],
    )


def print_page(text: str, folder: pathlib.Path) -> bytes:
    """The PDF file that Chromium makes of a page."""
    (folder / "page.html").write_text(text)
    options = [*OPTIONS, f"--user-data-dir={folder / 'profile'}", f"--print-to-pdf={folder / 'page.pdf'}"]
    subprocess.run(
        [CHROMIUM, *options, (folder / "page.html").as_uri()], capture_output=True, timeout=240, check=True
    )
    return (folder / "page.pdf").read_bytes()
