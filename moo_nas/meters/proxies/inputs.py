"""Minibatches that proxies look at, the same in every process."""

import functools
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from moo_nas.arrays import FloatArray, IntArray, stable_seed
from moo_nas.errors import InputError, unknown
from moo_nas.meters.proxies.class_folders import LAYOUT
from moo_nas.meters.proxies.images import draw

SOURCES = ("digits", "noise")
_N_CLASSES = 10  # of the digits, and of the noise's labels
_KEPT_BYTES = 2**28


@dataclass(frozen=True)
class Batch:
    """Images ``(n, 3, size, size)``, standardised by their source, and their labels ``(n,)``.

    Args:
        images: Numbers about zero mean and unit variance.
        labels: From 0 to ``n_classes - 1``.
        n_classes: How many classes the source tells apart, whether or not all were drawn.
    """

    images: FloatArray
    labels: IntArray
    n_classes: int

    @functools.cached_property
    def hash(self) -> str:
        """A hash of the very numbers."""
        digest = hashlib.blake2b(self.images.tobytes(), digest_size=8)
        digest.update(self.labels.tobytes())
        return digest.hexdigest()


class _Kept:
    """A loader that keeps the batches used last: up to 256 MiB, and the very last whatever its size."""

    def __init__(self, load: Callable[[str, int, int, int], Batch]) -> None:
        functools.update_wrapper(self, load)
        self._load = load
        self._batches: OrderedDict[tuple[str, int, int, int], Batch] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, source: str, batch_size: int, image_size: int, seed: int) -> Batch:
        asked = (source, batch_size, image_size, seed)
        with self._lock:
            if asked not in self._batches:
                self._batches[asked] = self._load(*asked)
            self._batches.move_to_end(asked)
            while len(self._batches) > 1 and self.n_bytes > _KEPT_BYTES:
                self._batches.popitem(last=False)
            return self._batches[asked]

    @property
    def n_bytes(self) -> int:
        """How many bytes the images kept take."""
        return sum(batch.images.nbytes for batch in self._batches.values())

    def cache_clear(self) -> None:
        """Forget what was kept, so that files are read anew."""
        with self._lock:
            self._batches.clear()


@_Kept
def load_batch(source: str, batch_size: int, image_size: int, seed: int) -> Batch:
    """Return a minibatch drawn from a source; files are read once a process.

    ============================ ============================================================
    ``digits``                   scikit-learn's 1,797 handwritten digits of 8x8, enlarged by
                                 linear interpolation, grey repeated over the three channels;
                                 standardised over all digits
    ``noise``                    Gaussian noise with random labels of ten classes
    a folder's path              sub-folders of JPEG and PNG images of any size, one a class, or
                                 ``train`` and ``test`` with such sub-folders (then ``train``)
    a .zip file's path           the same inside; ``images.zip/test`` is a folder of it
    ``cifar-10-batches-bin``     CIFAR-10's binary version: the folder (its five training files)
                                 or one file. The version for Python is pickled and refused
    ============================ ============================================================

    Images from disk become RGB (:func:`~moo_nas.meters.proxies.class_folders.as_rgb`), are resized as a
    whole to ``image_size`` (bilinear) and standardised by the mean and deviation of each channel
    over the images drawn, so that only these are read, were there millions; a class's label is its
    place in the sorted names. They are drawn without replacement, and by chance, so that classes
    need not be equally many. A damaged image is an error where its format shows it: PNG and .zip
    have checksums, JPEG has none. A word that is also a folder's name means the word: write ``./digits``.

    Args:
        source: One of the words, or a path.
        batch_size: How many images.
        image_size: Their width in pixels.
        seed: What draws them.

    Raises:
        InputError: An unknown source, more images than it has, fewer than two classes, or an image
            that cannot be read, by its name.

    Example:
        >>> batch = load_batch("digits", batch_size=8, image_size=32, seed=0)
        >>> batch.images.shape, batch.n_classes
        ((8, 3, 32, 32), 10)
    """
    if batch_size < 2 or image_size < 1:
        raise InputError(f"A minibatch needs at least 2 images of 1 pixel; got {batch_size} of {image_size}.")
    if source in SOURCES:
        rng = np.random.default_rng(stable_seed("batch", source, seed))
        return {"digits": _digits, "noise": _noise}[source](batch_size, image_size, rng)
    path = Path(source).expanduser()
    if not source or (len(path.parts) == 1 and not path.suffix and not path.exists()):
        raise InputError(f"{unknown('data source', source, SOURCES)} Or the path of {LAYOUT}.")
    pixels, labels, n_classes = draw(source, batch_size, image_size, seed)
    images = pixels.astype(np.float64)
    axes = (0, 2, 3)
    deviation = images.std(axis=axes, keepdims=True)
    if not deviation.all():
        raise InputError(
            f"The {batch_size} images drawn from '{source}' are of one colour in some channel, "
            "which has no scale. Give other images, more of them, or a larger image_size."
        )
    return Batch((images - images.mean(axis=axes, keepdims=True)) / deviation, labels, n_classes)


def _noise(batch_size: int, image_size: int, rng: np.random.Generator) -> Batch:
    images = rng.standard_normal((batch_size, 3, image_size, image_size))
    return Batch(images, rng.integers(0, _N_CLASSES, batch_size), _N_CLASSES)


def _digits(batch_size: int, image_size: int, rng: np.random.Generator) -> Batch:
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    if batch_size > len(pixels):
        raise InputError(f"Source 'digits' has {len(pixels)} images; a batch of {batch_size} was asked for.")
    chosen = rng.choice(len(pixels), batch_size, replace=False)
    small = (pixels[chosen] - pixels.mean()) / pixels.std()
    zoom = image_size / 8
    grey = ndimage.zoom(small.reshape(-1, 8, 8), (1, zoom, zoom), order=1, grid_mode=True, mode="nearest")
    return Batch(np.repeat(grey[:, None], 3, axis=1), labels[chosen].astype(np.int64), _N_CLASSES)
