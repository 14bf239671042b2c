"""Images in class folders, on disk or in a .zip."""

import bisect
import io
import itertools
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol

import numpy as np
from PIL import Image

from moo_nas.errors import InputError

LAYOUT = (
    "a folder (or a .zip) with one sub-folder of JPEG or PNG images a class, or the folder of CIFAR-10's "
    "binary version (data_batch_1.bin and so on)"
)
_SUFFIXES = (".jpg", ".jpeg", ".png")
_SPLITS = ("train", "test")


class Tree(Protocol):
    """Files in folders, on disk or in a .zip; paths inside are relative, with ``/``."""

    def entries(self, folder: str) -> tuple[list[str], list[str]]:
        """Return the names of the folders and of the files in a folder, each sorted."""

    def bytes(self, file: str) -> bytes:
        """Return what a file holds."""


class Folder:
    """A folder on disk."""

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


class Zip:
    """A folder in a .zip file; ``""`` is all of it."""

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

    def __init__(self, tree: Tree, name: str) -> None:
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
        label, place = located(self._ends, number)
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


def located(ends: Sequence[int], number: int) -> tuple[int, int]:
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
