"""Networks for another device: what the folder has, and that an export goes on where it was."""

import csv
import hashlib
import json
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from moo_nas import NASProblem, Pareto
from moo_nas.cli import DONE, main
from moo_nas.errors import InputError
from moo_nas.evaluation import Evaluator
from moo_nas.meters import Analytic, CpuLatency, DeviceTable
from moo_nas.networks import build
from moo_nas.spaces import Architecture
from moo_nas.study.export import export_networks, import_table
from problems.haenas import HaeNAS
from tests.fakes import Fake
from tests.spaces_for_tests import tiny_space, wide_space

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def problem(space=None, sources=None, **options) -> NASProblem:
    evaluator = Evaluator(space or wide_space(), sources or [Analytic(16, 7), Fake()], n_reference=10)
    return NASProblem(evaluator, Pareto("score", "params"), **options)


def rows(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "manifest.csv").read_text().splitlines()))


def test_every_file_is_the_network_that_the_manifest_says(tmp_path):
    done = export_networks(problem(), 6, tmp_path / "out", seed=3)
    listed = rows(done.folder)
    assert done.n_networks == len(listed) == len({row["architecture"] for row in listed}) == 6
    images = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    for row in listed:
        data = (done.folder / row["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == row["sha256"]
        assert row["input_shape"] == "1x3x16x16"
        session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
        with torch.inference_mode():
            expected = build(Architecture.parse(row["architecture"]), 7, 3).eval()(images).numpy()
        found = session.run(None, {"images": images.numpy()})[0]
        assert np.abs(found - expected).max() <= 1e-4 * max(1, np.abs(expected).max())
    manifest = json.loads((done.folder / "manifest.json").read_text())
    assert [row["architecture"] for row in manifest["networks"]] == [row["architecture"] for row in listed]
    assert manifest["input"] == {"name": "images", "shape": [1, 3, 16, 16], "type": "float32"}
    assert {"opset", "versions", "problem"} <= manifest.keys()


def test_the_table_that_comes_with_it_is_read_back_once_it_is_filled_in(tmp_path):
    done = export_networks(problem(), 4, tmp_path / "out")
    path = done.folder / "measurements.csv"
    with pytest.raises(InputError, match="line 2: latency_ms is empty"):
        DeviceTable.read(path, wide_space())
    table = list(csv.DictReader(path.read_text().splitlines()))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows({**row, "latency_ms": i + 1} for i, row in enumerate(table))
    assert import_table(path, problem()).frame["latency_ms"].tolist() == [1, 2, 3, 4]
    with pytest.raises(InputError, match="7 classes; asked for 16 pixels, batch 1 and 9"):
        import_table(path, problem(sources=[Analytic(16, 9), Fake()]))
    readme = (done.folder / "README.md").read_text()
    assert all(f"`{column}`" in readme for column in table[0])
    export_networks(problem(), 4, tmp_path / "out")
    assert DeviceTable.read(path, wide_space()).frame["latency_ms"].tolist() == [1, 2, 3, 4]


def test_an_interrupted_export_goes_on_and_ends_the_same(tmp_path):
    def interrupt(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_networks(problem(), 5, tmp_path / "here", progress=interrupt)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "here/networks").iterdir()}
    assert len(kept) == 2
    assert not (tmp_path / "here/manifest.json").exists()
    export_networks(problem(), 5, tmp_path / "here")
    assert all(path.stat().st_mtime_ns == when for path, when in kept.items())
    export_networks(problem(), 5, tmp_path / "elsewhere")
    for name in ("manifest.json", "manifest.csv", "measurements.csv", "README.md"):
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "elsewhere" / name).read_bytes()


def test_the_readme_s_command_runs_in_any_folder(tmp_path, monkeypatch):
    (tmp_path / "init").mkdir()
    (tmp_path / "kaiming").mkdir()  # what an option is named like is no path
    images = tmp_path / "images"
    for label in ("a", "b"):
        (images / label).mkdir(parents=True)
        for i in range(4):
            pixels = np.random.default_rng(i).integers(0, 255, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(images / label / f"{i}.png")
    monkeypatch.chdir(tmp_path)
    board = "architecture,latency_ms,image_size,batch_size,n_classes\n"
    space = HaeNAS().space
    board += "".join(f"{space.decode(g)},{i + 5},32,1,10\n" for i, g in enumerate(space.sample(3, 0)))
    Path("board.csv").write_text(board)
    made = HaeNAS(latency="board.csv", latency_size=32, data="images", batch_size=4)
    done = export_networks(made, 1, "nets")
    table = pd.read_csv(done.folder / "measurements.csv").assign(latency_ms=7.5)
    table.to_csv(done.folder / "measurements.csv", index=False)
    (line,) = [s for s in (done.folder / "README.md").read_text().splitlines() if "moo-nas measure" in s]
    assert "board.csv" not in line
    monkeypatch.chdir(done.folder)
    assert main(shlex.split(line)[1:]) == DONE
    assert pd.read_csv("measured.csv")["latency_ms"].tolist() == [7.5]


def test_a_space_smaller_than_asked_for_is_exported_whole(tmp_path):
    assert export_networks(problem(tiny_space()), 1000, tmp_path / "out").n_networks == tiny_space().size


def test_size_and_batch_are_those_that_latency_is_of(tmp_path):
    sources = [Analytic(16, 7), Fake(), CpuLatency(24, batch_size=3, n_classes=5)]
    done = export_networks(problem(sources=sources), 1, tmp_path / "out")
    assert rows(done.folder)[0]["input_shape"] == "3x3x24x24"
    assert json.loads((done.folder / "manifest.json").read_text())["n_classes"] == 5


@pytest.mark.parametrize(
    ("n", "seed", "expected"), [(0, 0, "At least 1 network"), (2, -1, "must not be negative")]
)
def test_impossible_numbers_are_refused(n, seed, expected, tmp_path):
    with pytest.raises(InputError, match=expected):
        export_networks(problem(), n, tmp_path / "out", seed)
    assert not (tmp_path / "out").exists()


def test_a_problem_that_does_not_say_the_size_of_images_is_refused(tmp_path):
    other = NASProblem(Evaluator(wide_space(), [Fake("a"), Fake("b")]), Pareto("a", "b"))
    with pytest.raises(InputError, match="images of how many pixels"):
        export_networks(other, 2, tmp_path / "out")


def test_a_folder_with_another_export_or_other_files_is_left_alone(tmp_path):
    export_networks(problem(), 2, tmp_path / "out")
    with pytest.raises(InputError, match="holds another export"):
        export_networks(problem(), 3, tmp_path / "out")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("mine")
    with pytest.raises(InputError, match="is not empty"):
        export_networks(problem(), 2, tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["file"]


def test_networks_that_the_disk_has_no_room_for_are_not_begun(tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("moo_nas.study.export.shutil.disk_usage", lambda path: usage)
    with pytest.raises(InputError, match="GB left"):
        export_networks(problem(), 2, tmp_path / "out")
    assert not list((tmp_path / "out" / "networks").iterdir())
