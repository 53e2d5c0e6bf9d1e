"""Planes and boxes, in all 48 directions of an array's axes, against nibabel and against the gallery's pictures."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.errors import SafelightError
from tasks.imaging.grids import Grid
from tasks.review.planes import NAMES, Name, Planes, center, middle
from tasks.volumes.preview import upright
from tests.tasks.review.made import affine, directions

SPACING = (1.0, 2.0, 3.0)
SHAPE = (4, 5, 6)
ALL = pytest.mark.parametrize(("order", "signs"), directions())


def expected(voxels: NDArray[np.int64], where: NDArray[np.float64], voxel: tuple[int, int, int]) -> dict[Name, NDArray[np.int64]]:
    """The three planes by nibabel's own turn to right, anterior, superior: the viewer sees the patient from the feet, the front, the left."""
    image = nibabel.as_closest_canonical(nibabel.Nifti1Image(voxels, where, dtype=np.int64))
    ras = np.asarray(image.dataobj)
    x, y, z = np.rint(np.linalg.inv(image.affine) @ where @ [*voxel, 1])[:3].astype(int)
    return {"axial": ras[::-1, ::-1, z].T, "coronal": ras[::-1, y, ::-1].T, "sagittal": ras[x, ::-1, ::-1].T}


@ALL
def test_planes_are_those_of_nibabel_and_of_the_gallery(order: tuple[int, ...], signs: tuple[int, ...]) -> None:
    voxels = np.random.default_rng(1).permutation(np.prod(SHAPE)).reshape(SHAPE)
    where = affine(order, signs, SPACING)
    planes = Planes.of(Grid(SHAPE, where))
    i, j, k = voxel = middle(planes.turn.source)
    shown = upright([voxels[:, :, k].T, voxels[:, j].T, voxels[i].T], where)
    for (name, wanted), view in zip(expected(voxels, where, voxel).items(), shown, strict=True):
        plane = planes.plane(name, voxel)
        found = planes.cut(voxels, plane)
        assert np.array_equal(found, wanted), name
        assert np.array_equal(found, view.pixels), name
        assert plane.shape == found.shape
        assert plane.spacing_mm == pytest.approx(view.spacing)
        assert (plane.index, plane.depth) == (voxel[plane.axis], SHAPE[plane.axis])
        assert plane.turned_deg == pytest.approx(0, abs=1e-4)


@ALL
def test_a_box_lies_where_its_voxels_are(order: tuple[int, ...], signs: tuple[int, ...]) -> None:
    start, stop = (1, 3, 0), (3, 4, 5)
    inside = np.zeros(SHAPE, np.int64)
    inside[1:3, 3:4, 0:5] = 1
    where = affine(order, signs, SPACING)
    planes = Planes.of(Grid(SHAPE, where))
    for name, wanted in expected(inside, where, center(start, stop)).items():
        found = planes.within(planes.plane(name, center(start, stop)), start, stop)
        rows, columns = np.nonzero(wanted)
        assert found is not None
        assert (found.top, found.bottom, found.left, found.right) == (
            rows.min(),
            rows.max() + 1,
            columns.min(),
            columns.max() + 1,
        ), name


def test_letters_are_where_positions_grow() -> None:
    """The first and the last row and column, in millimetres of the patient: towards left, posterior and superior, as DICOM has them."""
    for order, signs in directions():
        planes = Planes.of(Grid(SHAPE, affine(order, signs, SPACING)))
        where = np.array([-1, -1, 1, 1])[:, None] * planes.turn.source.affine_ras
        lps = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), -1) @ where[:3, :3].T + where[:3, 3]
        for name in NAMES:
            plane = planes.plane(name, (1, 1, 1))
            shown = np.stack([planes.cut(lps[..., axis], plane) for axis in range(3)], -1)
            for letter, step in (
                (plane.edges[1], shown[0, -1] - shown[0, 0]), (plane.edges[0], shown[0, 0] - shown[0, -1]),
                (plane.edges[3], shown[-1, 0] - shown[0, 0]), (plane.edges[2], shown[0, 0] - shown[-1, 0]),
            ):  # fmt: skip
                axis, sign = {"L": (0, 1), "R": (0, -1), "P": (1, 1), "A": (1, -1), "S": (2, 1), "I": (2, -1)}[letter]
                assert np.argmax(np.abs(step)) == axis
                assert np.sign(step[axis]) == sign


def test_a_plane_beside_a_box_does_not_cut_it() -> None:
    planes = Planes.of(Grid(SHAPE, affine()))
    found = [planes.within(planes.plane("axial", (0, 0, k)), (0, 0, 2), (1, 1, 4)) is not None for k in range(6)]
    assert found == [False, False, True, True, False, False]


def test_an_oblique_volume_says_by_how_much_it_is_turned() -> None:
    turn = np.eye(4)
    angle = np.radians(20)
    turn[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    planes = Planes.of(Grid(SHAPE, turn @ affine(spacing=SPACING)))
    turned = {name: planes.plane(name, (1, 1, 1)).turned_deg for name in NAMES}
    assert turned == pytest.approx({"axial": 20, "coronal": 20, "sagittal": 0}, abs=1e-4)


@pytest.mark.parametrize("voxel", [(-1, 0, 0), (4, 0, 0), (0, 0, 6)])
def test_a_place_beyond_the_volume_is_refused(voxel: tuple[int, int, int]) -> None:
    planes = Planes.of(Grid(SHAPE, affine()))
    with pytest.raises(SafelightError, match="E-REVIEW-PLACE"):
        planes.plane("axial", voxel)


@pytest.mark.parametrize("box", [((0, 0, 0), (0, 1, 1)), ((0, 0, 0), (5, 1, 1)), ((-1, 0, 0), (1, 1, 1))])
def test_a_box_beyond_the_volume_or_empty_is_refused(box: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    planes = Planes.of(Grid(SHAPE, affine()))
    with pytest.raises(SafelightError, match="E-REVIEW-PLACE"):
        planes.within(planes.plane("axial", (0, 0, 0)), *box)
