"""Images on disk to draw from."""

import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {"ant": (250, 10, 20), "bee": (10, 240, 30), "cat": (30, 20, 230)}
GREY = Image.fromarray(np.arange(0, 240, dtype=np.uint8).reshape(12, 20))


def save(path: Path, image: Image.Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def fill(root: Path, n: int = 4, classes=COLOURS, size=(12, 9)) -> Path:
    """A folder of a colour a class, the images of a class a little different from each other."""
    for name in classes:
        for i in range(n):
            pixels = np.full((size[1], size[0], 3), COLOURS[name], dtype=np.uint8)
            pixels[: i + 1, :, 1] += 3
            save(root / name / f"{i:03}.png", Image.fromarray(pixels))
    return root


def zipped(folder: Path, inside: str = "") -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*"), reverse=True):
            if file.is_file():
                archive.write(file, inside + file.relative_to(folder).as_posix())
    return path
