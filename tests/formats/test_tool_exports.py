"""Export folders of Roboflow and Ultralytics: refined into whole exports that trainers read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bpr.cli.main import main
from tests.formats import layouts, tool_layouts
from tests.formats.test_round_trips import files
from tests.formats.test_tool_formats import Layout, refined


@pytest.mark.parametrize("layout", [tool_layouts.roboflow, tool_layouts.ultralytics])
@pytest.mark.usefixtures("swelling")
def test_an_export_is_whole_after_refining(tmp_path: Path, photographs: Path, layout: Layout) -> None:
    """A trainer finds a label by its image: the folder ``images`` becomes ``labels``, the ending ``.txt``."""
    source = layout(tmp_path)
    out = refined(source, photographs, tmp_path, model="starter")
    before, after = files(source), files(out)
    assert before.keys() == after.keys()
    labels = {name for name in before if "labels" in Path(name).parts}
    images = {name for name in before if "images" in Path(name).parts}
    assert {name.replace("images", "labels").replace(".png", ".txt") for name in images} == labels
    assert {name for name in before if before[name] != after[name]} == {name for name in labels if before[name]}
    for name in labels:
        pairs = zip(before[name].decode().splitlines(), after[name].decode().splitlines(), strict=True)
        assert [new.split()[0] for _, new in pairs] == [old.split()[0] for old in before[name].decode().splitlines()]
        for line in after[name].decode().splitlines():
            numbers = np.array(line.split()[1:], float)
            assert len(numbers) % 2 == 0
            assert (numbers >= 0).all()
            assert (numbers <= 1).all()


@pytest.mark.usefixtures("swelling")
def test_a_line_that_does_not_change_keeps_its_bytes(tmp_path: Path, photographs: Path) -> None:
    source = tool_layouts.roboflow(tmp_path)
    label = source / "train" / "labels" / f"{layouts.STEMS[0]}.txt"
    lines = label.read_text().splitlines()
    label.write_bytes("\r\n".join([lines[0], "", f"{lines[1]} 0.10 ", lines[2]]).encode())
    out = refined(source, photographs, tmp_path, "--min-score", "0.5", model="starter")
    after = (out / label.relative_to(source)).read_bytes().split(b"\r\n")
    assert after[1:3] == [b"", f"{lines[1]} 0.10 ".encode()]
    assert [len(row) > 9 for row in after] == [True, False, True, True]
    assert after[0].decode() != lines[0]
    assert not after[3].endswith(b"\n")


@pytest.mark.usefixtures("swelling")
def test_lines_of_an_export_keep_scores_and_tracks(tmp_path: Path, photographs: Path) -> None:
    source = tool_layouts.roboflow(tmp_path)
    label = source / "train" / "labels" / f"{layouts.STEMS[0]}.txt"
    label.write_text("".join(f"{line} 0.5 {number}\n" for number, line in enumerate(label.read_text().splitlines(), start=7)))
    out = refined(source, photographs, tmp_path, model="starter")
    before, after = ((folder / label.relative_to(source)).read_text().splitlines() for folder in (source, out))
    assert all(old != new for old, new in zip(before, after, strict=True))
    assert [line.split()[-2:] for line in after] == [line.split()[-2:] for line in before]


@pytest.mark.parametrize(
    ("path", "kept"),
    [("{folder}", False), ("coco8-seg", False), ("../datasets/coco8-seg", False), (".", True), ("{folder}/..", True)],
)
def test_the_data_file_of_an_output_does_not_lead_to_the_input(
    tmp_path: Path, photographs: Path, capsys: pytest.CaptureFixture[str], path: str, kept: bool
) -> None:
    """Without a path, Ultralytics takes the folder of the file."""
    source = tool_layouts.ultralytics(tmp_path)
    line = f"path: {path.format(folder=source)}\n"
    data = source / "data.yaml"
    text = data.read_text()
    data.write_text(text.replace("path: .\n", line))
    out = refined(source, photographs, tmp_path)
    assert (out / "data.yaml").read_text() == (text.replace("path: .\n", line if kept else ""))
    assert ("change it before you train on the output" in capsys.readouterr().err) == path.endswith("..")


def test_whole_paths_of_a_data_set_are_said(
    tmp_path: Path, photographs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tool_layouts.ultralytics(tmp_path)
    data = source / "data.yaml"
    data.write_text(data.read_text().replace("train: images/train", f"train: {source}/images/train"))
    (source / "val.txt").write_text(f"{source}/images/val/a.png\n")
    refined(source, photographs, tmp_path)
    printed = capsys.readouterr().err
    assert f"{source}/data.yaml names '/" in printed
    assert f"{source}/val.txt names images by whole paths; change it" in printed


def test_only_images_of_an_export_are_links(tmp_path: Path, photographs: Path) -> None:
    source = tool_layouts.ultralytics(tmp_path)
    out = refined(source, photographs, tmp_path)
    links = {name for name in files(out) if (out / name).stat().st_nlink > 1}
    assert links == {name for name in files(source) if name.startswith("images")}


def test_a_link_out_of_an_export_is_left_out_and_said(
    tmp_path: Path, photographs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tool_layouts.ultralytics(tmp_path)
    (tmp_path / "model.pt").write_text("weights")
    (source / "model.pt").symlink_to(tmp_path / "model.pt")
    out = refined(source, photographs, tmp_path)
    assert not (out / "model.pt").exists()
    assert f"1 link out of {source} will not be in the output, first: {source}/model.pt" in capsys.readouterr().err


def test_an_output_inside_the_input_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tool_layouts.ultralytics(tmp_path)
    for command in ("refine", "convert"):
        more = ["--model", "identity"] if command == "refine" else ["--to", "coco"]
        assert main([command, str(source), *more, "--out", str(source / "refined")]) == 1
        assert f"expected an output outside of {source}, got one inside" in capsys.readouterr().err
    assert not (source / "refined").exists()


def test_an_export_becomes_annotations_with_its_names_and_all_its_images(tmp_path: Path) -> None:
    source = tool_layouts.roboflow(tmp_path)
    empty = source / "test" / "labels" / f"{layouts.STEMS[2]}.txt"
    assert not empty.read_text()
    assert main(["convert", str(source), "--to", "annotations", "--polygons", "--out", str(tmp_path / "out.json")]) == 0
    document = json.loads((tmp_path / "out.json").read_text())
    assert [category["name"] for category in document["categories"]] == ["car", "person"]
    assert len(document["images"]) == 3
    assert all(isinstance(each["segmentation"], list) for each in document["annotations"])


@pytest.mark.usefixtures("swelling")
def test_data_sets_below_an_export_are_refined_too(tmp_path: Path, photographs: Path) -> None:
    """Nothing is copied as it was without a word."""
    (tmp_path / "parts" / "first").mkdir(parents=True)
    tool_layouts.ultralytics(tmp_path / "parts" / "first")
    source = tool_layouts.roboflow(tmp_path).rename(tmp_path / "parts" / "second")
    (source / "data.yaml").rename(source.parent / "data.yaml")
    out = refined(source.parent, photographs, tmp_path, model="starter")
    before, after = files(source.parent), files(out)
    assert {name for name in before if before[name] != after[name]} == {name for name in before if "/labels/" in name and before[name]}
    assert main(["convert", str(source.parent), "--to", "annotations", "--out", str(tmp_path / "all.json")]) == 0
    document = json.loads((tmp_path / "all.json").read_text())
    assert [category["name"] for category in document["categories"]] == ["car", "person"]
    assert len(document["images"]) == 5


def test_labels_without_images_beside_them_are_said(tmp_path: Path, photographs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tool_layouts.roboflow(tmp_path)
    (source / "valid" / "images").rename(source / "valid" / "pictures")
    refined(source, photographs, tmp_path)
    line = f"1 folder of labels without a folder images beside, not read, first: {source}/valid/labels"
    assert line in capsys.readouterr().err.splitlines()


def test_ultralytics_reads_it(tmp_path: Path, photographs: Path) -> None:
    utils = pytest.importorskip("ultralytics.data.utils", reason="needs ultralytics", exc_type=ImportError)
    out = refined(tool_layouts.roboflow(tmp_path), photographs, tmp_path, model="starter-fast")
    for image in sorted(out.rglob("*.png")):
        (label,) = utils.img2label_paths([str(image)])
        found = utils.verify_image_label((str(image), label, "", False, 2, 0, 0, False))
        assert found[0] is not None, found[-1]
        assert len(found[3]) == len(Path(label).read_text().splitlines())
