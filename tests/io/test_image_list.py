"""The one rule by which an id means an image of a list, and what the list says of its size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bpr.errors import BadImage
from bpr.io.image_finder import ImageFolder
from bpr.io.image_list import ImageList


def images(**names: Any) -> list[dict[str, Any]]:
    """Entries by their ids, which are spelled ``n0`` for 0 and ``a`` for "a"."""
    return [{"id": int(key[1:]) if key[0] == "n" else key, "file_name": name} for key, name in names.items()]


@pytest.mark.parametrize("image_id", [1, 1.0, "1", "two", "two.png", "sub/two", "sub/two.png"])
def test_every_way_to_spell_a_listed_number(image_id: object) -> None:
    assert ImageList(images(n0="1.png", n1="sub/two.png")).id_of(image_id) == 1


@pytest.mark.parametrize("image_id", ["2", 2, "01", "1.0", " 1", "", "one", True, None, [1], 1.5, float("nan")])
def test_what_the_list_does_not_hold(image_id: object) -> None:
    assert ImageList(images(n0="1.png", n1="2.png")).id_of(image_id) is None


def test_a_negative_and_a_large_number_may_be_spelled() -> None:
    listed = ImageList([{"id": key, "file_name": f"{n}.png"} for n, key in enumerate((-3, 2**62, 2**70))])
    assert [listed.id_of(text) for text in ("-3", str(2**62), str(2**70), "-0")] == [-3, 2**62, 2**70, None]


def test_a_zero_padded_number_is_a_name() -> None:
    assert ImageList(images(n139="000000000139.jpg")).id_of("000000000139") == 139
    assert ImageList(images(n0="001.png", n1="002.png")).id_of("001") == 0


def test_a_listed_text_is_never_a_file_name() -> None:
    listed = ImageList(images(a="b.png", c="d.png"))
    assert [listed.id_of(key) for key in ("a", "b", "d.png", 1)] == ["a", None, None, None]
    assert ImageList([{"id": "7", "file_name": "x.png"}]).id_of(7) == "7"


def test_texts_and_numbers_in_one_list_mean_only_themselves() -> None:
    listed = ImageList([{"id": 1, "file_name": "x.png"}, {"id": "2", "file_name": "y.png"}])
    assert [listed.id_of(key) for key in (1, "2", "1", 2, "x")] == [1, "2", None, None, None]


def test_a_name_of_two_files_means_none_of_them() -> None:
    listed = ImageList(images(n1="ulm/0.png", n2="bern/0.png", n3="a.jpg", n4="a.png"))
    assert [listed.id_of(name) for name in ("ulm/0", "0.png", "a", "a.png")] == [1, None, None, 4]


def test_a_stem_is_a_file_before_it_is_an_id() -> None:
    listed = ImageList(images(n0="1.png", n1="2.png"), stems=True)
    assert [listed.id_of(stem) for stem in ("1", "2", "0", "3")] == [0, 1, None, None]
    assert ImageList(images(a="b.png", b="a.png"), stems=True).id_of("a") == "b"


@pytest.mark.parametrize(
    ("height", "width", "frame"),
    [
        (120, 160, (120, 160)),
        (120.0, 160.0, (120, 160)),
        (-1, -1, None),
        (0, 0, None),
        (None, 160, None),
        (120.5, 160, None),
        ("120", "160", (120, 160)),
        ("tall", "160", None),
        (True, True, None),
    ],
)
def test_a_size_that_no_image_has_is_unknown(height: object, width: object, frame: object) -> None:
    assert ImageList([{"id": 1, "file_name": "a.png", "height": height, "width": width}]).frame("1") == frame


def test_the_list_alone_decides_which_file_is_meant(tmp_path: Path) -> None:
    for name in ("1.png", "2.png", "3.png", "b.png"):
        (tmp_path / name).touch()
    folder = ImageFolder(tmp_path, images(n0="1.png", n1="2.png"))
    assert folder.path("1") == folder.path(1) == tmp_path / "2.png"
    for unlisted in ("2", "3", "b", "b.png"):
        with pytest.raises(BadImage, match="not in the annotation file or image folder"):
            folder.path(unlisted)
    with pytest.raises(BadImage):
        ImageFolder(tmp_path, images(a="1.png")).path("b")
    stems = ImageFolder(tmp_path, images(n0="1.png", n1="2.png"), stems=True)
    assert [stems.path(stem).name for stem in ("1", "2", "b")] == ["1.png", "2.png", "b.png"]


def test_a_missing_file_is_not_replaced_by_another(tmp_path: Path) -> None:
    """Only a name that is made of the id, as in Cityscapes' panoptic files, lets the id find the photo."""
    for name in ("1.png", "ulm/ulm_1_leftImg8bit.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    entries = [{"id": "1", "file_name": "gone.png"}, {"id": "ulm_1", "file_name": "ulm_1_gtFine_leftImg8bit.png"}]
    folder = ImageFolder(tmp_path, entries)
    assert folder.path("1") == tmp_path / "gone.png"
    assert folder.path("ulm_1") == tmp_path / "ulm" / "ulm_1_leftImg8bit.png"


def test_without_a_list_an_id_may_be_a_file_name(tmp_path: Path) -> None:
    for name in ("p.jpg", "p.png", "sub/q.jpg", "my photo.jpg", "deep/p.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    folder = ImageFolder(tmp_path)
    for name in ("p.jpg", "p.png", "sub/q.jpg", "my photo.jpg", "deep/p.jpg"):
        assert folder.path(name) == tmp_path / name
    assert folder.path("q.jpg") == folder.path("q") == tmp_path / "sub" / "q.jpg"
    with pytest.raises(BadImage, match="it is not clear which one is meant"):
        folder.path("p")
    with pytest.raises(BadImage, match="not in the annotation file"):
        folder.path("q.png")
