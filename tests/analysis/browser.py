"""A page in headless Chromium: what it does, and where its words and plots are."""

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium to open a page in")

_WATCH = """<script>
window.faults = [];
addEventListener("error", (event) => faults.push(String(event.message)));
for (const kind of ["error", "warn"]) console[kind] = (...words) => faults.push(words.join(" "));
</script>"""


def tried(page: str, probe: str, folder: Path, widths: tuple[int, ...]) -> list[dict[str, Any]]:
    """Open a page at several widths; return what an async function ``probe`` returns there.

    Faults of the console and what was loaded from elsewhere are told with it.
    """
    wrapped = (
        "<script>addEventListener('load', async () => {"
        f"const found = await (async () => {{{probe}}})();"
        "const loaded = performance.getEntriesByType('resource').map((one) => one.name)"
        ".filter((name) => !name.startsWith('data:'));"
        "parent.postMessage({...found, width: innerWidth, faults, loaded}, '*');"
        "});</script>"
    )
    inside = page.replace("<head>", f"<head>{_WATCH}", 1).replace("</body>", f"{wrapped}</body>")
    (folder / "page.html").write_text(inside, encoding="utf-8")
    frames = "".join(f'<iframe src="page.html" style="width:{w}px;height:4000px"></iframe>' for w in widths)
    outside = (
        "<body><pre></pre><script>const told = [];"
        "addEventListener('message', (event) => { told.push(event.data);"
        "document.querySelector('pre').textContent = JSON.stringify(told); });</script>"
        f"{frames}</body>"
    )
    (folder / "frames.html").write_text(outside, encoding="utf-8")
    dom = opened(folder / "frames.html", "--virtual-time-budget=20000")
    told = re.search(r"<pre>(.*?)</pre>", dom, re.DOTALL)
    assert told is not None, dom[:500]
    found: list[dict[str, Any]] = json.loads(unescape(told[1]) or "[]")
    assert sorted(one["width"] for one in found) == sorted(widths)
    return found


def opened(path: Path, *options: str) -> str:
    """Open a file; return the document as it is after loading."""
    assert CHROMIUM is not None
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += ["--window-size=1600,2000", *options, "--dump-dom", path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return done.stdout
