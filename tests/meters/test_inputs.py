"""Minibatches: their numbers, what is kept of them, and what tells them apart."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from moo_nas.errors import InputError
from moo_nas.meters import ZeroCost
from moo_nas.meters.proxies import inputs
from moo_nas.meters.proxies.inputs import load_batch
from problems.haenas import HaeNAS
from tests.meters.pictures import fill, zipped


@pytest.fixture(autouse=True)
def _files_are_read_anew():
    load_batch.cache_clear()


def nearest_colour(images) -> list[int]:
    """The brightest channel of each image: the class of COLOURS by its place in the alphabet."""
    return images.mean(axis=(2, 3)).argmax(axis=1).tolist()


def test_a_folders_labels_are_its_classes_in_alphabetical_order(tmp_path):
    batch = load_batch(str(fill(tmp_path)), 12, 6, 0)
    assert batch.images.shape == (12, 3, 6, 6)
    assert batch.n_classes == 3
    assert sorted(batch.labels) == [0] * 4 + [1] * 4 + [2] * 4  # without replacement: all twelve
    assert nearest_colour(batch.images) == batch.labels.tolist()


def test_images_from_disk_have_zero_mean_and_unit_deviation_in_every_channel(tmp_path):
    images = load_batch(str(fill(tmp_path)), 7, 5, 3).images
    assert images.mean(axis=(0, 2, 3)) == pytest.approx([0, 0, 0], abs=1e-12)
    assert images.std(axis=(0, 2, 3)) == pytest.approx([1, 1, 1])


def test_the_same_images_elsewhere_or_in_a_zip_give_the_same_batch(tmp_path):
    here = fill(tmp_path / "here")
    there = tmp_path / "there"
    # Made in the opposite order, as another file system might list them.
    for file in sorted(here.rglob("*.png"), reverse=True):
        (there / file.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(file, there / file.parent.name)
    expected = load_batch(str(here), 5, 7, 2).hash
    assert load_batch(str(there), 5, 7, 2).hash == expected
    assert load_batch(str(zipped(here)), 5, 7, 2).hash == expected
    assert load_batch(str(zipped(there, "a/b/")) + "/a/b", 5, 7, 2).hash == expected
    assert load_batch(str(here), 5, 7, 3).hash != expected


def test_another_process_draws_the_same(tmp_path):
    fill(tmp_path)
    program = (
        "import sys; from moo_nas.meters.proxies.inputs import load_batch; "
        "print(load_batch(sys.argv[1], 5, 7, 2).hash)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True)
    assert done.stdout.strip() == load_batch(str(tmp_path), 5, 7, 2).hash, done.stderr


@pytest.mark.parametrize("word", ["digit", "cifar", ""])
def test_a_word_that_is_no_source_is_told_with_what_there_is(word):
    with pytest.raises(
        InputError, match=rf"Unknown data source '{word}'.*Known: digits, noise.* Or the path"
    ):
        load_batch(word, 2, 8, 0)


def test_a_word_is_not_a_folder_of_that_name_but_a_path_is(tmp_path, monkeypatch):
    fill(tmp_path / "digits")
    fill(tmp_path / "pets")
    monkeypatch.chdir(tmp_path)
    assert load_batch("digits", 4, 4, 0).n_classes == 10
    assert load_batch("./digits", 4, 4, 0).n_classes == 3
    assert load_batch("pets", 4, 4, 0).n_classes == 3


def test_networks_must_tell_apart_at_least_the_classes_of_the_source(tmp_path):
    path = str(fill(tmp_path))
    with pytest.raises(
        InputError, match=r"labels of '.*' need networks of at least 3 classes; got n_classes=2"
    ):
        ZeroCost(image_size=8, batch_size=8, data=path, n_classes=2)
    meter = ZeroCost(("snip",), image_size=8, batch_size=8, data=path, n_classes=3)
    space = HaeNAS(data=path, n_classes=3, image_size=8, batch_size=8).space
    assert np.isfinite(meter.measure([space.decode(space.genome_at(0))], [0])).all()


def test_the_identity_of_a_score_tells_which_images_it_is_of(tmp_path):
    path = fill(tmp_path)
    before = ZeroCost(image_size=8, batch_size=8, data=str(path), n_classes=3).settings
    assert before["data_hash"] == [load_batch(str(path), 8, 8, 0).hash]
    for file in path.rglob("*.png"):
        with Image.open(file) as image:
            changed = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
        changed.save(file)
    load_batch.cache_clear()
    after = ZeroCost(image_size=8, batch_size=8, data=str(path), n_classes=3).settings
    assert after["data_hash"] != before["data_hash"]
    assert json.loads(json.dumps(after)) == after


def test_what_is_kept_has_a_bound_and_the_last_batch_is_always_kept(monkeypatch):
    one = load_batch("noise", 4, 8, 0).images.nbytes
    monkeypatch.setattr(inputs, "_KEPT_BYTES", 3 * one)
    for seed in range(10):
        batch = load_batch("noise", 4, 8, seed)
        assert load_batch("noise", 4, 8, seed) is batch
        assert load_batch.n_bytes <= 3 * one
    monkeypatch.setattr(inputs, "_KEPT_BYTES", 1)
    batch = load_batch("noise", 4, 8, 99)
    assert load_batch("noise", 4, 8, 99) is batch
    assert load_batch.n_bytes == one
