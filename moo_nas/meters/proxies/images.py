"""Images drawn from files on disk: a folder or a .zip of class folders, or CIFAR-10's binary files."""

import itertools
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from moo_nas.arrays import IntArray, stable_seed
from moo_nas.errors import InputError
from moo_nas.meters.proxies.class_folders import LAYOUT, ClassFolders, Folder, Zip, located

Pixels = npt.NDArray[np.uint8]

# CIFAR-10's binary version: a byte of label, then 32x32 pixels of red, of green, of blue.
_CIFAR_SIDE, _CIFAR_CLASSES = 32, 10
_CIFAR_RECORD = 1 + 3 * _CIFAR_SIDE**2


class Source(Protocol):
    """Images that are there to be drawn, by number."""

    n_images: int
    n_classes: int

    def read(self, number: int) -> tuple[Image.Image, int]:
        """Return an image in RGB, and its label."""


def draw(path: str, n: int, image_size: int, seed: int) -> tuple[Pixels, IntArray, int]:
    """Return images drawn without replacement, their labels, and how many classes the source has.

    Only the images drawn are read; of the others there is but the name to list, some three seconds
    a million. Which are drawn depends on the names of classes and images and
    on the seed; neither on where the source lies nor on the order that the disk gives it in.

    Args:
        path: Where the images are.
        n: How many are drawn.
        image_size: Width and height in pixels, to which the whole image is resized (bilinear,
            over all the pixels that one stands for where it shrinks; proportions are not kept).
        seed: What draws them.

    Returns:
        Pixels ``(n, 3, image_size, image_size)`` from 0 to 255, labels ``(n,)``, and the number of
        classes.

    Raises:
        InputError: There is no such source, it is of another layout, damaged, or too small.
    """
    try:
        with _opened(Path(path).expanduser()) as source:
            if source.n_classes < 2:
                raise InputError(
                    f"'{path}' has images of one class only, which no loss tells apart; "
                    "a source needs at least two class folders."
                )
            if source.n_images < n:
                raise InputError(f"'{path}' has {source.n_images} images; a batch of {n} was asked for.")
            rng = np.random.default_rng(stable_seed("batch", "images", seed))
            pixels = np.empty((n, 3, image_size, image_size), dtype=np.uint8)
            labels = np.empty(n, dtype=np.int64)
            for row, number in enumerate(rng.choice(source.n_images, n, replace=False).tolist()):
                image, labels[row] = source.read(number)
                resized = image.resize((image_size, image_size), Image.Resampling.BILINEAR)
                pixels[row] = np.asarray(resized).transpose(2, 0, 1)
            return pixels, labels, source.n_classes
    except OSError as error:
        raise InputError(f"'{path}' cannot be read: {error}.") from error


@contextmanager
def _opened(path: Path) -> Iterator[Source]:
    file = next((p for p in (path, *path.parents) if p.is_file()), None)
    if file is None:
        if not path.is_dir():
            raise InputError(f"There is no file or folder '{path}'. Expected {LAYOUT}.")
        names = {entry.name for entry in path.iterdir()}
        batches = sorted(name for name in names if name.startswith("data_batch_") and name.endswith(".bin"))
        if batches:
            yield CifarBinary([path / name for name in batches])
        elif "data_batch_1" in names:
            raise InputError(_pickled(path))
        else:
            yield ClassFolders(Folder(path), str(path))
    elif file.suffix.lower() == ".zip":
        try:
            archive = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, OSError) as error:
            raise InputError(f"'{file}' cannot be read as a .zip: {error}.") from error
        with archive:
            inside = path.relative_to(file).as_posix()
            yield ClassFolders(Zip(archive, "" if inside == "." else inside), str(path))
    elif file == path and file.suffix == ".bin":
        yield CifarBinary([file])
    else:
        with file.open("rb") as stream:
            start = stream.read(2)
        # A pickle of protocol 2 or later begins with its opcode and number.
        if len(start) == 2 and start[0] == 0x80 and start[1] <= 5:
            raise InputError(_pickled(file))
        raise InputError(f"'{file}' is no source of images. Expected {LAYOUT}.")


def _pickled(path: Path) -> str:
    return (
        f"'{path}' is pickled (as CIFAR-10's version for Python is), and nothing from outside is unpickled: "
        "a pickle can run any program. Give CIFAR-10's binary version (cifar-10-binary.tar.gz, unpacked)."
    )


class CifarBinary:
    """CIFAR-10 in its binary version: files of records of 3,073 bytes, a label and 32x32 pixels.

    Args:
        files: ``data_batch_1.bin`` and so on, or ``test_batch.bin``.

    Raises:
        InputError: A file that is no whole number of records.

    References:
        A. Krizhevsky. Learning Multiple Layers of Features from Tiny Images. 2009;
        https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version".
    """

    n_classes = _CIFAR_CLASSES

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = list(files)
        for file in self._files:
            size = file.stat().st_size
            if size == 0 or size % _CIFAR_RECORD:
                raise InputError(
                    f"'{file}' has {size} bytes; CIFAR-10's binary version is of records of "
                    f"{_CIFAR_RECORD} bytes. Is it whole?"
                )
        self._ends = list(itertools.accumulate(f.stat().st_size // _CIFAR_RECORD for f in self._files))
        self.n_images = self._ends[-1]

    def read(self, number: int) -> tuple[Image.Image, int]:
        """Return an image in RGB, and its label.

        Raises:
            InputError: A label that CIFAR-10 does not have.
        """
        which, place = located(self._ends, number)
        with self._files[which].open("rb") as stream:
            stream.seek(place * _CIFAR_RECORD)
            record = np.frombuffer(stream.read(_CIFAR_RECORD), dtype=np.uint8)
        label = int(record[0])
        if label >= _CIFAR_CLASSES:
            raise InputError(
                f"Record {place} of '{self._files[which]}' has label {label}; CIFAR-10 has 0 to 9. "
                "Is the file CIFAR-10's binary version?"
            )
        pixels = record[1:].reshape(3, _CIFAR_SIDE, _CIFAR_SIDE).transpose(1, 2, 0)
        return Image.fromarray(np.ascontiguousarray(pixels)), label
