"""Images drawn from disk: which, of what size, and what is refused."""

import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from moo_nas.errors import InputError, SourceError
from moo_nas.evaluation import Runner
from moo_nas.meters import ZeroCost
from moo_nas.meters.proxies import images as sources
from moo_nas.meters.proxies.inputs import load_batch
from moo_nas.spaces import Architecture
from tests.meters.pictures import GREY, fill, save, zipped


@pytest.fixture(autouse=True)
def _files_are_read_anew():
    load_batch.cache_clear()


def cifar(folder: Path, name: str, labels, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    records = rng.integers(0, 256, (len(labels), 3073), dtype=np.uint8)
    records[:, 0] = labels
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(records.tobytes())
    return records


def test_images_are_not_changed_but_for_their_scale_where_they_have_the_size(tmp_path):
    rng = np.random.default_rng(0)
    kept = {}
    for name in ("a", "b"):
        for i in range(3):
            kept[name, i] = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            save(tmp_path / name / f"{i}.png", Image.fromarray(kept[name, i]))
    pixels, labels, n_classes = sources.draw(str(tmp_path), 6, 8, 0)
    assert n_classes == 2
    drawn = sorted(
        (int(label), p.transpose(1, 2, 0).tolist()) for label, p in zip(labels, pixels, strict=True)
    )
    assert drawn == sorted(("ab".index(name), p.tolist()) for (name, _), p in kept.items())


def test_another_size_is_pillows_bilinear_one_of_the_whole_image(tmp_path):
    rng = np.random.default_rng(0)
    wide = Image.fromarray(rng.integers(0, 256, (10, 40, 3), dtype=np.uint8))
    for name in ("a", "b"):
        save(tmp_path / name / "0.png", wide)
    pixels, _, _ = sources.draw(str(tmp_path), 2, 16, 0)
    expected = np.asarray(wide.resize((16, 16), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
    assert (pixels == expected).all()


def test_the_order_in_which_the_disk_lists_files_does_not_matter(tmp_path, monkeypatch):
    expected = load_batch(str(fill(tmp_path)), 5, 7, 2).hash
    scandir = os.scandir

    class Reversed:
        def __init__(self, path):
            with scandir(path) as found:
                self.found = list(found)[::-1]

        def __enter__(self):
            return iter(self.found)

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(os, "scandir", Reversed)
    load_batch.cache_clear()
    assert load_batch(str(tmp_path), 5, 7, 2).hash == expected


def test_cifars_binary_version_is_read_as_its_page_says(tmp_path):
    folder = tmp_path / "cifar-10-batches-bin"
    first = cifar(folder, "data_batch_1.bin", [3, 9, 0, 1])
    second = cifar(folder, "data_batch_2.bin", [7, 7, 2], seed=1)
    cifar(folder, "test_batch.bin", [5, 5], seed=2)
    pixels, labels, n_classes = sources.draw(str(folder), 7, 32, 0)
    assert n_classes == 10
    expected = {bytes(r[1:]): int(r[0]) for r in (*first, *second)}
    assert {p.tobytes(): label for p, label in zip(pixels, labels.tolist(), strict=True)} == expected
    assert load_batch(str(folder), 3, 16, 0).images.shape == (3, 3, 16, 16)
    assert load_batch(str(folder / "test_batch.bin"), 2, 32, 0).labels.tolist() == [5, 5]


def test_a_damaged_binary_file_is_named(tmp_path):
    cifar(tmp_path, "data_batch_1.bin", [3, 10])
    with pytest.raises(
        InputError, match=r"Record 1 of '.*data_batch_1.bin' has label 10; CIFAR-10 has 0 to 9"
    ):
        load_batch(str(tmp_path), 2, 8, 0)
    with (tmp_path / "data_batch_1.bin").open("ab") as file:
        file.write(b"x")
    with pytest.raises(InputError, match=r"'.*data_batch_1.bin' has 6147 bytes.*records of 3073"):
        load_batch(str(tmp_path), 2, 8, 0)
    (tmp_path / "data_batch_1.bin").write_bytes(b"")
    with pytest.raises(InputError, match="has 0 bytes"):
        load_batch(str(tmp_path), 2, 8, 0)


class Loud:
    def __reduce__(self):
        return (pytest.fail, ("a pickle from outside was run",))


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_a_pickle_is_refused_and_not_run(tmp_path, protocol):
    (tmp_path / "data_batch_1").write_bytes(pickle.dumps(Loud(), protocol))
    (tmp_path / "batches.meta").write_bytes(pickle.dumps(Loud(), protocol))
    for path in (tmp_path, tmp_path / "data_batch_1"):
        with pytest.raises(InputError, match=r"nothing from outside is unpickled.*cifar-10-binary.tar.gz"):
            load_batch(str(path), 2, 8, 0)


def empty(tmp_path):
    (tmp_path / "x").mkdir()
    return tmp_path / "x"


def flat(tmp_path):
    save(tmp_path / "x" / "0.png", GREY)
    return tmp_path / "x"


def class_without_images(tmp_path):
    fill(tmp_path / "x")
    (tmp_path / "x" / "dog").mkdir()
    (tmp_path / "x" / "dog" / "0.webp").write_bytes(b"no image")
    return tmp_path / "x"


def one_class(tmp_path):
    return fill(tmp_path / "x", classes=["ant"])


def one_colour(tmp_path):
    for name in ("a", "b"):
        save(tmp_path / "x" / name / "0.png", Image.new("RGB", (4, 4), (9, 9, 9)))
    return tmp_path / "x"


def no_zip(tmp_path):
    (tmp_path / "x.zip").write_bytes(b"no zip")
    return tmp_path / "x.zip"


def another_file(tmp_path):
    (tmp_path / "x.tar").write_bytes(b"an archive of another kind")
    return tmp_path / "x.tar"


def not_in_zip(tmp_path):
    return zipped(fill(tmp_path / "x")) / "nowhere"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (empty, r"'.*x' has nothing in it\. Expected a folder"),
        (flat, "has 1 files but no sub-folder"),
        (class_without_images, r"Class folder 'dog' of '.*x' has no image \(.jpg, .jpeg, .png\)"),
        (one_class, "images of one class only"),
        (one_colour, "of one colour in some channel"),
        (no_zip, r"'.*x.zip' cannot be read as a .zip"),
        (another_file, r"'.*x.tar' is no source of images"),
        (not_in_zip, r"nowhere' has nothing in it"),
        (lambda tmp_path: tmp_path / "nowhere", r"no file or folder '.*nowhere'"),
        (lambda tmp_path: fill(tmp_path / "x", n=0), "no file or folder"),
    ],
)
def test_a_source_that_is_not_as_expected_is_refused_with_the_reason(tmp_path, make, message):
    with pytest.raises(InputError, match=message):
        load_batch(str(make(tmp_path)), 2, 8, 0)


def test_a_folder_that_must_not_be_read_is_an_error_of_the_input(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    path = str(fill(tmp_path))
    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InputError, match=r"cannot be read: .*Permission denied"):
        load_batch(path, 2, 8, 0)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_images_that_change_or_go_while_a_run_lasts_end_it(tmp_path, n_jobs):
    folder = fill(tmp_path / "x")
    meter = ZeroCost(("snip",), image_size=8, batch_size=8, data=str(folder))
    a = Architecture.parse("stem_k3_s2_c8 ibn_d1_k3_s1_e2_c8 pool_conv_c8")
    (outcome,) = next(iter(Runner().run(meter, [a], [0])))
    assert np.isfinite(outcome.values).all()
    for path in folder.rglob("*.png"):
        save(path, Image.fromarray(255 - np.asarray(Image.open(path))))
    load_batch.cache_clear()  # as another process would read them
    with pytest.raises(SourceError, match="are not those that this run began with"):
        list(Runner(n_jobs).run(meter, [a, a], [0, 1]))
    shutil.rmtree(folder)
    load_batch.cache_clear()
    with pytest.raises(SourceError, match="x"):
        list(Runner(n_jobs).run(meter, [a, a], [0, 2]))


def cifar_zip() -> str:
    if not os.environ.get("MOO_NAS_DATA"):
        pytest.skip("MOO_NAS_DATA is unset: no folder of published data")
    return str(Path(os.environ["MOO_NAS_DATA"]) / "cifar10_jpg_subset.zip")


def test_the_published_subset_of_cifar_has_its_ten_classes_and_6000_images():
    batch = load_batch(cifar_zip(), 5000, 32, 0)
    assert batch.n_classes == 10
    assert np.bincount(batch.labels).tolist() == [500] * 10
    with pytest.raises(InputError, match="has 5000 images"):
        load_batch(cifar_zip(), 5001, 32, 0)
    with pytest.raises(InputError, match="has 1000 images"):
        load_batch(f"{cifar_zip()}/test", 1001, 32, 0)


def test_the_published_subset_has_cifars_means_and_deviations():
    pixels, _, _ = sources.draw(cifar_zip(), 5000, 32, 0)
    # Of all 50,000 training images, as widely used: (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616).
    mean, deviation = pixels.mean(axis=(0, 2, 3)) / 255, pixels.std(axis=(0, 2, 3)) / 255
    assert mean == pytest.approx([0.4914, 0.4822, 0.4465], abs=0.01)
    assert deviation == pytest.approx([0.2470, 0.2435, 0.2616], abs=0.01)
