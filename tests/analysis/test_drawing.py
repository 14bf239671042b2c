from itertools import pairwise
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from moo_nas.analysis.drawing import draw_architecture, kernel_legend, kernels_of
from moo_nas.analysis.style import kernel_colour, text_colour
from moo_nas.spaces import Architecture, CellStage, Head, Stage, Stem
from tests.strategies import cell_architectures

SVG = "{http://www.w3.org/2000/svg}"

stages = st.builds(
    Stage,
    operator=st.sampled_from(["ibn", "fused"]),
    depth=st.integers(1, 9),
    kernel=st.sampled_from([1, 3, 5, 7, 9, 11, 13, 15, 31]),
    stride=st.sampled_from([1, 2]),
    expansion=st.integers(1, 12),
    channels=st.integers(8, 2000),
    se=st.sampled_from([0.0, 0.25]),
)
architectures = st.builds(
    Architecture,
    st.builds(Stem, kernel=st.sampled_from([3, 7])),
    st.lists(stages, max_size=12).map(tuple),
    st.just(Head()),
)


def texts(element: ElementTree.Element) -> list[str]:
    return [text.text or "" for text in element.iter(f"{SVG}text")]


@given(architectures)
def test_a_drawing_has_a_rectangle_for_stem_head_and_each_stage_in_the_colour_of_its_kernel(architecture):
    root = ElementTree.fromstring(draw_architecture(architecture))
    rectangles = list(root.iter(f"{SVG}rect"))
    kernels = [architecture.stem.kernel, *(stage.kernel for stage in architecture.stages)]
    assert len(rectangles) == len(architecture.stages) + 2
    assert [r.get("fill") for r in rectangles[:-1]] == [kernel_colour(k) for k in kernels]
    lefts = [float(r.get("x")) for r in rectangles]
    width = float(rectangles[0].get("width"))
    assert all(left + width < right for left, right in pairwise(lefts))
    assert lefts[-1] + width <= float(root.get("viewBox").split()[2])


@given(architectures)
def test_operator_stands_above_expansion_inside_and_depth_below_each_stage(architecture):
    root = ElementTree.fromstring(draw_architecture(architecture))
    groups = list(root.iter(f"{SVG}g"))[1:-1]
    for stage, group in zip(architecture.stages, groups, strict=True):
        box = group.find(f"{SVG}rect")
        top, bottom = float(box.get("y")), float(box.get("y")) + float(box.get("height"))
        at = {text.text: float(text.get("y")) for text in group.iter(f"{SVG}text")}
        assert at["F-IBN" if stage.operator == "fused" else "IBN"] < top
        assert top < at[f"e{stage.expansion}"] < bottom
        assert at[f"x{stage.depth}"] > bottom
        assert ("SE" in at) == bool(stage.se)


def test_a_drawing_says_in_words_what_it_shows():
    text = "stem_k3_s2_c16 fused_d2_k5_s2_e6_c24_se0.25 pool_conv_c1280"
    root = ElementTree.fromstring(draw_architecture(Architecture.parse(text)))
    titles = [title.text for title in root.iter(f"{SVG}title")]
    assert text in root.get("aria-label")
    assert titles[0] == text
    assert "fused inverted bottleneck 5x5, expansion 6, depth 2" in titles[2]
    assert "squeeze-and-excite 0.25" in titles[2]


def test_the_legend_names_each_kernel_once_in_its_colour():
    root = ElementTree.fromstring(kernel_legend([7, 3, 7], se=False))
    assert texts(root) == ["3x3", "7x7"]
    assert [r.get("fill") for r in root.iter(f"{SVG}rect")] == [kernel_colour(3), kernel_colour(7)]
    assert "SE" in texts(ElementTree.fromstring(kernel_legend([3], se=True)))


def test_usual_kernels_have_colours_of_their_own_on_which_text_is_readable():
    def luminance(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    colours = [kernel_colour(k) for k in (1, 3, 5, 7, 9, 11, 13)]
    assert len(set(colours)) == 7
    for colour in colours:
        dark, light = sorted((luminance(colour), luminance(text_colour(colour))))
        assert (light + 0.05) / (dark + 0.05) > 4.5


@given(cell_architectures())
def test_each_different_cell_is_drawn_once_with_its_operations_between_its_nodes(architecture):
    root = ElementTree.fromstring(draw_architecture(architecture))
    different = list(dict.fromkeys(s.cell for s in architecture.stages if isinstance(s, CellStage)))
    graphs = [g for g in root.iter(f"{SVG}g") if g.find(f"{SVG}title").text.startswith("Cell ")]
    assert len(graphs) == len(different)
    width, height = (float(root.get(name)) for name in ("width", "height"))
    for cell, graph in zip(different, graphs, strict=True):
        assert len(list(graph.iter(f"{SVG}circle"))) == cell.n_nodes
        colours = [path.get("stroke") for path in graph.iter(f"{SVG}path")]
        assert len(colours) == len(cell.present)
        for edge, colour in zip(cell.present, colours, strict=True):
            if edge.operation.kind == "conv":
                assert colour == kernel_colour(edge.operation.kernel)
        for mark in graph.iter(f"{SVG}circle"):
            assert 0 < float(mark.get("cx")) < width
            assert 0 < float(mark.get("cy")) < height
        labels = [float(t.get("y")) for t in graph.iter(f"{SVG}text")]
        assert all(0 < y <= height for y in labels)


@given(cell_architectures())
def test_the_kernels_of_an_architecture_are_those_of_its_convolutions(architecture):
    kernels = kernels_of(architecture)
    assert architecture.stem.kernel in kernels
    for stage in architecture.stages:
        if isinstance(stage, CellStage):
            convs = {int(name[-1]) for name in stage.cell.operators if name.startswith("nor_conv")}
            assert convs <= kernels
        else:
            assert stage.kernel in kernels


def test_a_drawing_of_a_cell_says_in_words_what_it_shows():
    cell = "|nor_conv_3x3~0|+|skip_connect~0|none~1|"
    text = f"stem_k3_s1_c16_linear cell_d5_c16_{cell} residual_d1_k3_s2_c32 norm_pool"
    root = ElementTree.fromstring(draw_architecture(Architecture.parse(text)))
    titles = [title.text for title in root.iter(f"{SVG}title")]
    assert "Stage 2: residual 3x3, depth 1, stride 2, 32 channels" in titles
    assert "Cell A: nor_conv_3x3 from 1 to 2, skip_connect from 1 to 3" in titles
    assert {"cell", "A", "x5", "conv 3x3", "skip", "in", "out"} <= set(texts(root))
