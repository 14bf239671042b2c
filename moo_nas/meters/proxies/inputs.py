"""Minibatches that proxies look at, the same in every process."""

import functools
import hashlib
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from moo_nas.arrays import FloatArray, IntArray, stable_seed
from moo_nas.errors import InputError, unknown

SOURCES = ("digits", "noise")
_N_CLASSES = 10


@dataclass(frozen=True)
class Batch:
    """Images ``(n, 3, size, size)``, zero mean and unit variance, and their labels ``(n,)``."""

    images: FloatArray
    labels: IntArray

    @property
    def hash(self) -> str:
        """A hash of the very numbers."""
        digest = hashlib.blake2b(self.images.tobytes(), digest_size=8)
        digest.update(self.labels.tobytes())
        return digest.hexdigest()


@functools.lru_cache(maxsize=8)
def load_batch(source: str, batch_size: int, image_size: int, seed: int) -> Batch:
    """Return a minibatch drawn from a source.

    Args:
        source: ``digits``: scikit-learn's 1,797 handwritten digits of 8x8, enlarged by linear
            interpolation, grey repeated over the three channels; ``noise``: Gaussian noise with
            random labels of ten classes.
        batch_size: How many images, drawn without replacement.
        image_size: Their width in pixels.
        seed: What draws them.

    Raises:
        InputError: An unknown source, or more images than it has.
    """
    if source not in SOURCES:
        raise unknown("data source", source, SOURCES)
    if batch_size < 2 or image_size < 1:
        raise InputError(f"A minibatch needs at least 2 images of 1 pixel; got {batch_size} of {image_size}.")
    rng = np.random.default_rng(stable_seed("batch", source, seed))
    if source == "noise":
        images = rng.standard_normal((batch_size, 3, image_size, image_size))
        return Batch(images, rng.integers(0, _N_CLASSES, batch_size))

    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    if batch_size > len(pixels):
        raise InputError(f"Source 'digits' has {len(pixels)} images; a batch of {batch_size} was asked for.")
    chosen = rng.choice(len(pixels), batch_size, replace=False)
    small = (pixels[chosen] - pixels.mean()) / pixels.std()
    zoom = image_size / 8
    grey = ndimage.zoom(small.reshape(-1, 8, 8), (1, zoom, zoom), order=1, grid_mode=True, mode="nearest")
    return Batch(np.repeat(grey[:, None], 3, axis=1), labels[chosen].astype(np.int64))
