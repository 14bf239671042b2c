"""Minibatches from every source, what Pillow makes of every kind of image, and every error."""

import io
import json
import os
import pickle
import shutil
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from moo_nas.errors import InputError
from moo_nas.meters import ZeroCost
from moo_nas.meters.proxies import images as sources
from moo_nas.meters.proxies import inputs
from moo_nas.meters.proxies.inputs import load_batch
from problems.haenas import HaeNAS

COLOURS = {"ant": (250, 10, 20), "bee": (10, 240, 30), "cat": (30, 20, 230)}


@pytest.fixture(autouse=True)
def _files_are_read_anew():
    load_batch.cache_clear()


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


def cifar(folder: Path, name: str, labels, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    records = rng.integers(0, 256, (len(labels), 3073), dtype=np.uint8)
    records[:, 0] = labels
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(records.tobytes())
    return records


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

    monkeypatch.setattr(sources.os, "scandir", Reversed)
    load_batch.cache_clear()
    assert load_batch(str(tmp_path), 5, 7, 2).hash == expected


def test_another_process_draws_the_same(tmp_path):
    fill(tmp_path)
    program = (
        "import sys; from moo_nas.meters.proxies.inputs import load_batch; "
        "print(load_batch(sys.argv[1], 5, 7, 2).hash)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True)
    assert done.stdout.strip() == load_batch(str(tmp_path), 5, 7, 2).hash, done.stderr


@pytest.mark.parametrize("splits", [("train", "test"), ("test",)])
@pytest.mark.parametrize("form", ["folder", "zip"])
def test_train_is_taken_before_test_and_a_path_names_the_other(tmp_path, splits, form):
    root = tmp_path / "root"
    fill(root / splits[0], n=5)
    if len(splits) == 2:
        fill(root / splits[1], n=2)
    path = str(root if form == "folder" else zipped(root))
    assert load_batch(path, 15, 4, 0).images.shape[0] == 15
    with pytest.raises(InputError, match="15 images; a batch of 16"):
        load_batch(path, 16, 4, 0)
    if len(splits) == 2:
        assert sorted(load_batch(f"{path}/test", 6, 4, 0).labels) == [0, 0, 1, 1, 2, 2]


def test_classes_may_be_called_train_and_test(tmp_path):
    for i, name in enumerate(("test", "train")):
        for j in range(2):
            save(tmp_path / name / f"{j}.png", Image.new("RGB", (4, 4), (90 * i, 50 * j, 7 + 9 * j)))
    assert sorted(load_batch(str(tmp_path), 4, 4, 0).labels) == [0, 0, 1, 1]


def test_other_files_and_hidden_ones_are_passed_over(tmp_path):
    expected = load_batch(str(fill(tmp_path / "set")), 12, 5, 0).hash
    (tmp_path / "set" / "README.md").write_text("hello")
    (tmp_path / "set" / "ant" / "Thumbs.db").write_bytes(b"no image")
    (tmp_path / "set" / "ant" / "._000.png").write_bytes(b"no image")
    (tmp_path / "set" / ".cache").mkdir()
    (tmp_path / "set" / "__MACOSX").mkdir()
    (tmp_path / "set" / "__MACOSX" / "000.png").write_bytes(b"no image")
    load_batch.cache_clear()
    assert load_batch(str(tmp_path / "set"), 12, 5, 0).hash == expected
    assert load_batch(str(zipped(tmp_path / "set")), 12, 5, 0).hash == expected


GREY = Image.fromarray(np.arange(0, 240, dtype=np.uint8).reshape(12, 20))


def test_grey_is_repeated_over_the_channels():
    rgb = np.asarray(sources.as_rgb(GREY))
    assert (rgb == np.asarray(GREY)[..., None]).all()


def test_grey_of_16_bits_keeps_its_upper_8_and_is_not_cut_off(tmp_path):
    wide = np.asarray(GREY).astype(np.uint16) * 256 + 7
    save(tmp_path / "16.png", Image.fromarray(wide))
    with Image.open(tmp_path / "16.png") as image:
        assert image.mode.startswith("I")
        assert (np.asarray(sources.as_rgb(image)) == np.asarray(GREY)[..., None]).all()


def test_black_and_white_is_0_and_255():
    assert np.unique(np.asarray(sources.as_rgb(GREY.convert("1")))).tolist() == [0, 255]


@given(st.integers(0, 255), st.tuples(*[st.integers(0, 255)] * 3))
def test_what_is_transparent_shows_black_behind_it(alpha, colour):
    rgb = np.asarray(sources.as_rgb(Image.new("RGBA", (2, 2), (*colour, alpha))))
    assert np.abs(rgb - np.array(colour) * alpha / 255).max() <= 1


def test_transparent_grey_and_a_transparent_palette_entry_show_black():
    assert (np.asarray(sources.as_rgb(Image.new("LA", (2, 2), (200, 0)))) == 0).all()
    palette = Image.new("P", (2, 1), 0)
    palette.putpalette([200, 100, 50, 10, 20, 30])
    palette.putpixel((1, 0), 1)
    file = io.BytesIO()
    palette.save(file, "PNG", transparency=0)
    with Image.open(file) as image:
        assert image.mode == "P"
        assert np.asarray(sources.as_rgb(image)).tolist() == [[[0, 0, 0], [10, 20, 30]]]


def test_a_palette_is_looked_up_and_cmyk_converted(tmp_path):
    colour = Image.new("RGB", (8, 8), (200, 40, 90))
    assert (np.asarray(sources.as_rgb(colour.quantize(4))) == (200, 40, 90)).all()
    save(tmp_path / "cmyk.jpg", colour.convert("CMYK"))
    with Image.open(tmp_path / "cmyk.jpg") as image:
        assert image.mode == "CMYK"
        assert np.abs(np.asarray(sources.as_rgb(image)).astype(int) - (200, 40, 90)).max() <= 6


def test_every_kind_of_image_goes_into_one_batch(tmp_path):
    kinds = {"L": "png", "RGB": "jpeg", "RGBA": "png", "P": "png", "CMYK": "jpg", "1": "png", "LA": "PNG"}
    for place, (mode, ending) in enumerate(kinds.items()):
        image = GREY.convert("RGB").convert(mode).resize((20 + place, 12))
        save(tmp_path / "ab"[place % 2] / f"{mode}.{ending}", image)
    batch = load_batch(str(tmp_path), len(kinds), 10, 0)
    assert np.isfinite(batch.images).all()
    # All show the same picture: grey that grows from the top to the bottom (the one of black and
    # white points in places only).
    rows = batch.images.mean(axis=(1, 3))
    assert (rows[:, -1] - rows[:, 0] > 1).all()
    assert ((np.diff(rows, axis=1) > 0).all(axis=1)).sum() == len(kinds) - 1


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


def broken(tmp_path, what: str) -> str:
    """A source with something wrong; returns its path."""
    root = fill(tmp_path / "set", n=2)
    victim = root / "bee" / "001.jpg"
    rng = np.random.default_rng(0)
    picture = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(picture, "JPEG")
    if what == "truncated":
        victim.write_bytes(picture.getvalue()[: len(picture.getvalue()) // 2])
    elif what == "garbage":
        victim.write_bytes(bytes(rng.integers(0, 256, 900, dtype=np.uint8)))
    elif what == "no bytes":
        victim.write_bytes(b"")
    elif what == "another format":
        GREY.save(victim, "GIF")
    elif what == "a broken PNG":
        victim = root / "bee" / "001.png"
        content = bytearray(victim.read_bytes())
        content[45] ^= 255
        victim.write_bytes(content)
    elif what == "no pixels":
        victim = root / "bee" / "001.png"
        content = victim.read_bytes()
        header = b"IHDR" + bytes(4) + content[20:29]
        victim.write_bytes(content[:12] + header + zlib.crc32(header).to_bytes(4) + content[33:])
    return str(root)


@pytest.mark.parametrize(
    "what", ["truncated", "garbage", "no bytes", "another format", "a broken PNG", "no pixels"]
)
@pytest.mark.parametrize("form", ["folder", "zip"])
def test_an_image_that_cannot_be_read_is_named(tmp_path, what, form):
    path = broken(tmp_path, what)
    path = path if form == "folder" else str(zipped(Path(path)))
    n = 7 if what not in ("a broken PNG", "no pixels") else 6
    with pytest.raises(InputError, match=r"Image 'bee/001.(jpg|png)' of '.*set(.zip)?' cannot be read: .+"):
        load_batch(path, n, 8, 0)


def test_a_zip_that_is_damaged_inside_names_the_image(tmp_path):
    path = zipped(fill(tmp_path / "set", n=1))
    content = bytearray(path.read_bytes())
    place = content.find(b"IDAT") + 6  # stored, not deflated: a changed byte breaks the member's CRC
    content[place] ^= 255
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"Image '.*/000.png' of .* cannot be read: .*CRC"):
        load_batch(str(path), 3, 8, 0)


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
        ZeroCost(image_size=8, batch_size=4, data=path, n_classes=2)
    meter = ZeroCost(("snip",), image_size=8, batch_size=4, data=path, n_classes=3)
    space = HaeNAS(data=path, n_classes=3, image_size=8, batch_size=4).space
    assert np.isfinite(meter.measure([space.decode(space.genome_at(0))], [0])).all()


def test_the_identity_of_a_score_tells_which_images_it_is_of(tmp_path):
    path = fill(tmp_path)
    before = ZeroCost(image_size=8, batch_size=4, data=str(path), n_classes=3).settings
    assert before["data_hash"] == load_batch(str(path), 4, 8, 0).hash
    for file in path.rglob("*.png"):
        with Image.open(file) as image:
            changed = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
        changed.save(file)
    load_batch.cache_clear()
    after = ZeroCost(image_size=8, batch_size=4, data=str(path), n_classes=3).settings
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
