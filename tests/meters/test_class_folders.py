"""Class folders and .zip files, what becomes of every kind of image, and every damage."""

import io
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from moo_nas.errors import InputError
from moo_nas.meters.proxies.class_folders import as_rgb
from moo_nas.meters.proxies.inputs import load_batch
from tests.meters.pictures import GREY, fill, save, zipped


@pytest.fixture(autouse=True)
def _files_are_read_anew():
    load_batch.cache_clear()


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


def test_grey_is_repeated_over_the_channels():
    rgb = np.asarray(as_rgb(GREY))
    assert (rgb == np.asarray(GREY)[..., None]).all()


def test_grey_of_16_bits_keeps_its_upper_8_and_is_not_cut_off(tmp_path):
    wide = np.asarray(GREY).astype(np.uint16) * 256 + 7
    save(tmp_path / "16.png", Image.fromarray(wide))
    with Image.open(tmp_path / "16.png") as image:
        assert image.mode.startswith("I")
        assert (np.asarray(as_rgb(image)) == np.asarray(GREY)[..., None]).all()


def test_black_and_white_is_0_and_255():
    assert np.unique(np.asarray(as_rgb(GREY.convert("1")))).tolist() == [0, 255]


@given(st.integers(0, 255), st.tuples(*[st.integers(0, 255)] * 3))
def test_what_is_transparent_shows_black_behind_it(alpha, colour):
    rgb = np.asarray(as_rgb(Image.new("RGBA", (2, 2), (*colour, alpha))))
    assert np.abs(rgb - np.array(colour) * alpha / 255).max() <= 1


def test_transparent_grey_and_a_transparent_palette_entry_show_black():
    assert (np.asarray(as_rgb(Image.new("LA", (2, 2), (200, 0)))) == 0).all()
    palette = Image.new("P", (2, 1), 0)
    palette.putpalette([200, 100, 50, 10, 20, 30])
    palette.putpixel((1, 0), 1)
    file = io.BytesIO()
    palette.save(file, "PNG", transparency=0)
    with Image.open(file) as image:
        assert image.mode == "P"
        assert np.asarray(as_rgb(image)).tolist() == [[[0, 0, 0], [10, 20, 30]]]


def test_a_palette_is_looked_up_and_cmyk_converted(tmp_path):
    colour = Image.new("RGB", (8, 8), (200, 40, 90))
    assert (np.asarray(as_rgb(colour.quantize(4))) == (200, 40, 90)).all()
    save(tmp_path / "cmyk.jpg", colour.convert("CMYK"))
    with Image.open(tmp_path / "cmyk.jpg") as image:
        assert image.mode == "CMYK"
        assert np.abs(np.asarray(as_rgb(image)).astype(int) - (200, 40, 90)).max() <= 6


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
