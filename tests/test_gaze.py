"""A second look: where an instruction points on a picture, and what is sent of it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from m4sc.gaze.canvases import GRIDS, PLACES, Place, draw_canvas, has_place, part_of
from m4sc.gaze.network import GazeConfig, GazeNetwork, Instructions
from m4sc.gaze.second_look import WHOLE, Found, SecondLook, load_second_look
from m4sc.gaze.training import (
    GazeLesson,
    Sights,
    draw_instructions,
    draw_sights,
    measure_gaze,
    overlap_share,
    possible_boxes,
    train_gaze,
    within,
)
from m4sc.gaze.wordings import placed, unplaced
from m4sc.shipped import weights_folder
from m4sc.space.sentence_encoder import TokenStates
from m4sc.tasks import TASKS

SMALL = GazeConfig(looked_at=32, grid=4, in_dim=12, components=2, width=32, layers=1, heads=2)
shares = st.floats(0, 1)


def test_the_tiles_of_a_grid_cover_it_without_overlap() -> None:
    for rows, columns in ((2, 2), (2, 3), (3, 3)):
        corners = [p for p in PLACES if None not in (p.row, p.column) and has_place(p, rows, columns)]
        boxes = torch.tensor([part_of(place, rows, columns) for place in corners])
        assert len(boxes) == rows * columns
        areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
        assert float(areas.sum()) == pytest.approx(1)
        for n, box in enumerate(boxes):
            others = torch.cat([boxes[:n], boxes[n + 1 :]])
            assert float(overlap_share(box.expand_as(others), others).max()) == pytest.approx(0, abs=1e-6)


def test_places_are_where_they_say() -> None:
    assert part_of(Place(0, 0), 3, 3) == pytest.approx((0, 0, 1 / 3, 1 / 3))
    assert part_of(Place(2, 2), 2, 2) == pytest.approx((0.5, 0.5, 1, 1))
    assert part_of(Place(None, 2), 3, 3) == pytest.approx((2 / 3, 0, 1, 1))
    assert part_of(Place(1, 1), 1, 1) == pytest.approx((0.25, 0.25, 0.75, 0.75))
    with pytest.raises(ValueError, match="no Place"):
        part_of(Place(1, 0), 2, 2)
    with pytest.raises(ValueError, match="row or a column"):
        Place(None, None)


@given(x=st.tuples(shares, shares), y=st.tuples(shares, shares), grid=st.integers(1, 9))
def test_the_cells_of_a_box_hold_its_area(x: tuple[float, float], y: tuple[float, float], grid: int) -> None:
    box = torch.tensor([[min(x), min(y), max(x), max(y)]])
    cells = within(box, grid)
    assert cells.shape == (1, grid**2)
    assert float(cells.min()) >= 0 and float(cells.max()) <= 1 + 1e-4
    area = float((box[0, 2] - box[0, 0]) * (box[0, 3] - box[0, 1]))
    assert float(cells.mean()) == pytest.approx(area, abs=1e-4)


@given(seed=st.integers(0, 2**31), place=st.sampled_from(PLACES), held_out=st.booleans())
def test_placed_instructions_name_their_place(seed: int, place: Place, held_out: bool) -> None:
    said = placed(place, ["dog", "car"], np.random.default_rng(seed), held_out).lower()
    words = set(re.findall(r"[a-z]+", said))
    rows, columns = ({"top", "upper"}, {"bottom", "lower"}), ({"left"}, {"right"})
    for number, sides in ((place.row, rows), (place.column, columns)):
        for side, names in zip((0, 2), sides, strict=True):
            assert bool(words & names) == (number == side)


def test_no_instruction_is_of_both_kinds() -> None:
    rng = np.random.default_rng(1)
    told = {placed(place, ["dog"], rng, held) for place in PLACES for _ in range(200) for held in (0, 1)}
    none = {unplaced(["dog"], ["A dog runs on grass."], rng, held) for _ in range(2000) for held in (0, 1)}
    assert not told & none
    assert {"Who left?", "What is on top of the dog?"} <= none


def test_held_out_wordings_are_none_of_the_learned() -> None:
    rng = np.random.default_rng(0)
    learned = {placed(place, ["dog"], rng) for place in PLACES for _ in range(300)}
    asked = {placed(place, ["dog"], rng, held_out=True) for place in PLACES for _ in range(100)}
    assert not learned & asked


def test_canvases_have_their_tiles_where_they_say() -> None:
    pool = [np.full((9, 7, 3), level, np.uint8) for level in (40, 200)]
    rng = np.random.default_rng(3)
    drawn = [draw_canvas(pool, 48, rng) for _ in range(60)]
    assert {(one.rows, one.columns) for one in drawn} == set(GRIDS)
    for one in drawn:
        assert one.picture.shape == (48, 48, 3)
        for row in range(one.rows):
            for column in range(one.columns):
                middle = one.picture[int((row + 0.5) * 48 / one.rows), int((column + 0.5) * 48 / one.columns)]
                assert middle[0] in (40, 200)


def tokens_of(texts: list[str]) -> list[TokenStates]:
    """Each word a token, whose state is its own."""
    found = []
    for text in texts:
        words = text.lower().split()
        seeds = [sum(map(ord, word)) for word in words]
        states = torch.stack([torch.randn(384, generator=torch.Generator().manual_seed(s)) for s in seeds])
        ids = torch.tensor(seeds)
        found.append(TokenStates(states, ids, torch.zeros(len(ids), 2)))
    return found


def lesson(count: int, seed: int) -> GazeLesson:
    """Pictures whose cells tell their rows and columns, and one instruction a place."""
    generator = torch.Generator().manual_seed(seed)
    grids = torch.tensor([(2, 2), (3, 3)])[torch.randint(2, (count,), generator=generator)]
    cells = 0.3 * torch.randn(count, SMALL.grid**2, SMALL.in_dim, generator=generator)
    cells[..., 0] += 6 * (grids[:, :1] - 2.5)
    told = tokens_of([f"row{place.row} column{place.column}" for place in PLACES])
    return GazeLesson(
        Sights(cells.half(), grids), Instructions.of(told), Instructions.of(tokens_of(["no place at all"]))
    )


def test_a_gaze_learns_which_part_is_meant_and_when_none_is() -> None:
    torch.manual_seed(0)
    network = GazeNetwork(SMALL)
    before = measure_gaze(network.eval(), lesson(60, 1))
    losses: list[float] = []
    train_gaze(network, lesson(200, 0), 600, 1.0, batch=64, progress=lambda _, loss: losses.append(loss))
    after = measure_gaze(network, lesson(60, 1))
    assert losses[-1] < losses[0] / 2
    assert after.overlap > 0.75 > before.overlap
    assert after.part_known > 0.95 and after.whole_known > 0.95
    blind = lesson(60, 1)
    blind.sights.cells.zero_()  # two or three tiles a side: nothing says it
    assert measure_gaze(network, blind).overlap < after.overlap - 0.05


def test_a_lesson_is_of_its_pools_and_the_same_again() -> None:
    def look(pictures: list[np.ndarray]) -> torch.Tensor:
        return torch.from_numpy(np.stack(pictures)).float().mean((1, 2))[:, None].expand(-1, 4, -1)

    pools = [[np.full((8, 8, 3), 10, np.uint8)], [np.full((8, 8, 3), 90, np.uint8)]]
    done: list[int] = []
    first, again, other = (
        draw_sights(pools, 20, look, np.random.default_rng(seed), 24, done.append) for seed in (0, 0, 1)
    )
    assert torch.equal(first.cells, again.cells) and torch.equal(first.grids, again.grids)
    assert not torch.equal(first.grids, other.grids)
    assert first.cells.shape == (20, 4, 3) and done[:2] == [16, 20]
    boxes, there = possible_boxes(first.grids)
    assert boxes.shape == (20, len(PLACES), 4) and bool(there.any(1).all())
    told, none = draw_instructions(tokens_of, (["dog"], ["A dog."]), np.random.default_rng(0), True)
    assert len(told.known) == len(none.known) and len(told.known) % len(PLACES) == 0
    assert bool((told.known.sum(1) >= 2).all()) and not told.states[~told.known].any()


def test_weights_come_back_as_they_were(tmp_path: Path) -> None:
    torch.manual_seed(1)
    network = GazeNetwork(SMALL).eval()
    network.fit_components(torch.randn(100, SMALL.in_dim))
    network.save(tmp_path)
    again = GazeNetwork.load(tmp_path).eval()
    cells, asked = (
        torch.randn(2, 16, SMALL.in_dim),
        Instructions.of(tokens_of(["the left", "what is it now"])),
    )
    first, second = (n(n.components(cells), asked) for n in (network, again))
    assert torch.allclose(first.box, second.box, atol=5e-3)
    (tmp_path / "config.json").write_text('{"width": 10, "heads": 4}')
    with pytest.raises(ValueError, match="4 heads do not share"):
        GazeNetwork.load(tmp_path)


class Pointing(SecondLook):
    """Points where it is told."""

    def __init__(self, probability: float, box: tuple[float, float, float, float]) -> None:
        super().__init__(GazeNetwork(SMALL))
        self.found = Found(probability, box)

    def find(self, picture: np.ndarray, instruction: str) -> Found:
        return self.found


def test_the_part_is_cut_out_and_the_whole_is_kept_where_none_is_meant() -> None:
    picture = np.arange(60 * 90 * 3, dtype=np.uint32).reshape(60, 90, 3).astype(np.uint8)
    meant = (1 / 3, 0.5, 2 / 3, 1.0)
    part, box = Pointing(0.9, meant).part(picture, "below the middle")
    np.testing.assert_array_equal(part, picture[30:, 30:60])
    assert box == meant
    for probability, box in ((0.2, (0.0, 0.0, 0.5, 0.5)), (0.9, (0.5, 0.5, 0.51, 0.6))):
        part, where = Pointing(probability, box).part(picture, "what, or a speck")
        assert part is picture and where == WHOLE


def test_the_shipped_gaze_looks_where_an_instruction_points() -> None:
    """Two and three tiles a side, of pictures that no training has; wordings that no training has."""
    look = load_second_look(weights_folder("gaze"))
    rng = np.random.default_rng(0)
    for grid in (2, 3):
        tiles = rng.integers(0, 256, (grid, grid, 4, 4, 3), dtype=np.uint8)
        picture = np.kron(tiles.transpose(0, 2, 1, 3, 4).reshape(4 * grid, 4 * grid, 3), np.ones((12, 12, 1)))
        edge = 48 * grid
        picture = np.asarray(picture, np.uint8)
        assert picture.shape == (edge, edge, 3)
        for place, name in ((Place(0, 0), "top left"), (Place(2, 2), "bottom right")):
            found = look.find(picture, f"Tell me what you see at the {name}.")
            assert found.probability > 0.5
            middle = (found.box[0] + found.box[2]) / 2, (found.box[1] + found.box[3]) / 2
            left, top, right, bottom = part_of(place, grid, grid)
            assert left <= middle[0] <= right and top <= middle[1] <= bottom
    for instruction in (
        *TASKS["caption"].instructions,
        "Purple ideas sleep furiously under green arithmetic.",
    ):
        assert look.part(picture, instruction)[0] is picture
