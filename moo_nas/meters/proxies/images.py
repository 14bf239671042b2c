"""Images drawn from files on disk: a folder or a .zip of class folders, or CIFAR-10's binary files."""

import bisect
import io
import itertools
import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from moo_nas.arrays import IntArray, stable_seed
from moo_nas.errors import InputError

Pixels = npt.NDArray[np.uint8]

LAYOUT = (
    "a folder (or a .zip) with one sub-folder of JPEG or PNG images a class, or the folder of CIFAR-10's "
    "binary version (data_batch_1.bin and so on)"
)
_SUFFIXES = (".jpg", ".jpeg", ".png")
_SPLITS = ("train", "test")
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

    Only the images drawn are read. Which they are depends on the names of classes and images and
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
            yield ClassFolders(_Folder(path), str(path))
    elif file.suffix.lower() == ".zip":
        try:
            archive = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, OSError) as error:
            raise InputError(f"'{file}' cannot be read as a .zip: {error}.") from error
        with archive:
            inside = path.relative_to(file).as_posix()
            yield ClassFolders(_Zip(archive, "" if inside == "." else inside), str(path))
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


class _Tree(Protocol):
    """Files in folders, on disk or in a .zip; paths inside are relative, with ``/``."""

    def entries(self, folder: str) -> tuple[list[str], list[str]]:
        """Return the names of the folders and of the files in a folder, each sorted."""

    def bytes(self, file: str) -> bytes:
        """Return what a file holds."""


class _Folder:
    def __init__(self, root: Path) -> None:
        self._root = root

    def entries(self, folder: str) -> tuple[list[str], list[str]]:
        folders: list[str] = []
        files: list[str] = []
        with os.scandir(self._root / folder) as found:
            for entry in found:
                if not _is_hidden(entry.name):
                    (folders if entry.is_dir() else files).append(entry.name)
        return sorted(folders), sorted(files)

    def bytes(self, file: str) -> bytes:
        return (self._root / file).read_bytes()


class _Zip:
    def __init__(self, archive: zipfile.ZipFile, root: str) -> None:
        self._archive = archive
        self._root = PurePosixPath(root)
        self._folders: dict[str, set[str]] = {}
        self._files: dict[str, set[str]] = {}
        prefix = f"{root}/" if root else ""
        for name in archive.namelist():
            if not name.startswith(prefix):
                continue
            *parents, last = name.removeprefix(prefix).split("/")
            if any(map(_is_hidden, parents)):
                continue
            for depth, parent in enumerate(parents):
                self._folders.setdefault("/".join(parents[:depth]), set()).add(parent)
            if last and not _is_hidden(last):
                self._files.setdefault("/".join(parents), set()).add(last)

    def entries(self, folder: str) -> tuple[list[str], list[str]]:
        return sorted(self._folders.get(folder, ())), sorted(self._files.get(folder, ()))

    def bytes(self, file: str) -> bytes:
        return self._archive.read(str(self._root / file))


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


class ClassFolders:
    """Images in class folders; labels are the folders' places in alphabetical order, from 0.

    Other files than JPEG and PNG (by their names' ends), and what is hidden, are passed over. Where
    the class folders lie one level down, in ``train`` or ``test``, those of ``train`` are taken, or
    of ``test`` if there is no other; a path that ends there names it (``images.zip/test``).

    Args:
        tree: The files.
        name: What errors call the source.

    Raises:
        InputError: No class folders, or one without images.
    """

    def __init__(self, tree: _Tree, name: str) -> None:
        self._tree = tree
        self._name = name
        self._root = ""
        folders, files = tree.entries("")
        for split in _SPLITS:
            if split in folders and (inner := tree.entries(split)[0]):
                self._root, folders = f"{split}/", inner
                break
        if not folders:
            has = f"{len(files)} files but no sub-folder" if files else "nothing in it"
            raise InputError(f"'{name}' has {has}. Expected {LAYOUT}.")
        self._classes: Mapping[str, Sequence[str]] = {
            folder: [f for f in tree.entries(self._root + folder)[1] if f.lower().endswith(_SUFFIXES)]
            for folder in folders
        }
        for folder, images in self._classes.items():
            if not images:
                raise InputError(
                    f"Class folder '{self._root}{folder}' of '{name}' has no image ({', '.join(_SUFFIXES)}). "
                    f"Expected {LAYOUT}."
                )
        self._folders = list(self._classes)
        self._ends = list(itertools.accumulate(len(images) for images in self._classes.values()))
        self.n_images = self._ends[-1]
        self.n_classes = len(folders)

    def read(self, number: int) -> tuple[Image.Image, int]:
        """Return an image in RGB, and its label.

        Raises:
            InputError: The file is no image, or damaged; the message names it.
        """
        label, place = _located(self._ends, number)
        folder = self._folders[label]
        file = f"{self._root}{folder}/{self._classes[folder][place]}"
        try:
            content = self._tree.bytes(file)
            if not content:
                raise ValueError("it has no bytes")
            # The formats are named so that no other decoder ever sees a file from outside.
            with Image.open(io.BytesIO(content), formats=("JPEG", "PNG")) as image:
                image.load()
                return as_rgb(image), label
        except Exception as error:  # a damaged file can raise nearly anything in a decoder
            raise InputError(
                f"Image '{file}' of '{self._name}' cannot be read: {error}. Replace it or take it away."
            ) from error


def _located(ends: Sequence[int], number: int) -> tuple[int, int]:
    """Return which of several lists in a row holds an item, and its place there.

    Args:
        ends: How many items each list and those before it have.
        number: The item, counted through all lists.
    """
    which = bisect.bisect_right(ends, number)
    return which, number - (ends[which - 1] if which else 0)


def as_rgb(image: Image.Image) -> Image.Image:
    """Return an image in RGB, 8 bits a channel.

    Grey is repeated, a palette looked up, CMYK converted; what is transparent shows black behind
    it, for colours under full transparency are arbitrary. Of 16 bits a pixel the upper 8 are kept.
    """
    if image.width < 1 or image.height < 1:
        raise ValueError(f"it is of {image.width}x{image.height} pixels")
    if image.mode.startswith("I"):
        # Pillow's own conversion would cut 16 bits off at 255.
        image = Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image).convert("RGB")
    return image.convert("RGB")


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
        which, place = _located(self._ends, number)
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
