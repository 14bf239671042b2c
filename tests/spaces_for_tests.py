"""Spaces small enough to be looked at whole."""

from moo_nas.spaces import Head, StageChoices, StageSpace, Stem


def tiny_space() -> StageSpace:
    """32 networks: two stages, operator, kernel, expansion and depth genes."""
    return StageSpace(
        [
            StageChoices(8, 1, (8,), kernel=(3,), expansion=(2,), depth=(1, 2)),
            StageChoices(8, 2, (16,), kernel=(3, 5), expansion=(1, 3), depth=(1, 2)),
        ],
        Stem(8),
        Head(16),
        image_size=16,
    )


def wide_space() -> StageSpace:
    """1,152 networks: width and squeeze-and-excite genes, expansion 1, the other head."""
    return StageSpace(
        [
            StageChoices(8, 1, (8, 16, 24), kernel=(3,), expansion=(1, 2), depth=(2,), se=(0.0, 0.25)),
            StageChoices(8, 2, (16, 24), kernel=(3, 5), expansion=(1, 3), depth=(1, 2, 3), se=(0.0, 0.5)),
        ],
        Stem(8),
        Head(24, "conv_pool"),
        image_size=16,
    )


def cube_space() -> StageSpace:
    """27 networks: three ordinal genes of three choices."""
    return StageSpace(
        [StageChoices(8, 1, (8,), operator=("ibn",), expansion=(1, 2, 3), depth=(1, 2, 3))],
        Stem(8),
        Head(16),
        image_size=16,
    )
