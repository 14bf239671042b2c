"""Cell spaces: one small graph of operations, repeated; NAS-Bench-201 is one of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from moo_nas.arrays import IntArray
from moo_nas.errors import SpaceError
from moo_nas.spaces.architecture import Architecture, CellStage, Head, ResidualStage, Stem
from moo_nas.spaces.gene import Gene
from moo_nas.spaces.graph import NASBENCH201_OPERATORS, Cell, operation, pairs
from moo_nas.spaces.isomorphism import canonical_numbers, n_genomes, number
from moo_nas.spaces.space import SearchSpace
from moo_nas.spaces.tables import BlockCost, NetworkTable

_MOST_LISTED = 100_000  # genomes of a space in which each is looked at for equal networks, or tabulated


class CellSpace(SearchSpace):
    r"""One cell, the operation of each of its edges chosen, repeated in stages.

    A network is a 3x3 convolution, then for each number of channels so many equal cells, before
    all but the first of them a residual block of stride 2, then batch norm, ReLU, average pooling
    and a fully connected layer. Genes are named for their edge: ``edge1_2`` ... ``edge3_4``.

    **Which genomes are the same network.** With ``merge``, genomes that stand for one network have
    one canonical form, and all of them decode to it. The same are two cells with isomorphic
    *computations*: the same operations, each applied to the same sum of the input and of other
    operations' results. So, of the genome,

    - an edge that leads nowhere, or that nothing reaches, is ``none`` (what nothing reaches is
      zero, and so is what pooling or convolution make of it; a trained batch norm could make a
      constant of it, which counts as nothing here);
    - a skip is the identity: an operation on a node that is nothing but another node is that
      operation on the other node;
    - nodes may change places, and additions their order.

    Not merged is what computes the same by more, fewer or other operations: the mean of a sum is
    the sum of the means, but two poolings are not one; two convolutions of one input with
    weights of their own are not one convolution used twice. So equal networks have equal
    convolutions and poolings, weights, and multiply-accumulates; they may differ in additions.
    The canonical form is the genome with the fewest edges that are not ``none``, the first of
    several. A published table has a row for each genome, trained and timed apart: where it is read
    for canonical genomes, that of the canonical one counts, and costs of what is dead in the others
    (their parameters, some devices' time) are none of the network's.

    Of NAS-Bench-201's 15,625 genomes 5,425 are distinct so; 9,445 have no dead edge. Its authors
    count 6,466 by expressions in text: there a zero in a sum still counts, so that x + 0 is not x,
    while two convolutions of one input with weights of their own are the same as one used twice.
    Without ``merge`` every genome is its own, and dead edges are built and costed.

    Args:
        n_cells: How many cells a stage has.
        channels: Channels of each stage.
        n_nodes: Nodes of a cell, its input and output among them.
        operators: What an edge can be; see :func:`~moo_nas.spaces.graph.operation`.
        merge: Are equal networks made one? The default, as a search should not measure a network
            twice.

    Raises:
        SpaceError: A count that is not positive, an unknown operator, or a space too large to merge.

    Example:
        >>> space = CellSpace.nasbench201()
        >>> space.n_var, space.size
        (6, 15625)
        >>> lone = space.genome_of(["none", "none", "nor_conv_3x3", "skip_connect", "none", "none"])
        >>> space.choices(space.canonical(lone[None])).iloc[0].tolist()
        ['none', 'none', 'nor_conv_3x3', 'none', 'none', 'none']
        >>> str(space.decode(lone).stages[0])
        'cell_d5_c16_|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|'

    References:
        X. Dong, Y. Yang. NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture
        Search. ICLR 2020.
    """

    name = "cell space"

    def __init__(
        self,
        n_cells: int = 5,
        channels: Sequence[int] = (16, 32, 64),
        n_nodes: int = 4,
        operators: Sequence[str] = NASBENCH201_OPERATORS,
        merge: bool = True,
    ) -> None:
        self.n_cells = int(n_cells)
        self.channels = tuple(int(c) for c in channels)
        self.n_nodes = int(n_nodes)
        self.operators = tuple(str(name) for name in operators)
        self.merge = bool(merge)
        if self.n_cells < 1 or self.n_nodes < 2 or not self.channels or min(self.channels) < 1:
            raise SpaceError(
                "A cell space needs at least one cell of two nodes a stage, and positive channels; got "
                f"n_cells={n_cells}, n_nodes={n_nodes}, channels={channels}."
            )
        for name in self.operators:
            operation(name)
        self.genes = tuple(
            Gene(f"edge{source}_{target}", self.operators, "categorical") for source, target in pairs(n_nodes)
        )
        size = n_genomes(self.n_nodes, len(self.operators))
        if self.merge and size > _MOST_LISTED:
            raise SpaceError(
                f"Equal networks are found by looking at every genome, {_MOST_LISTED:,} at most; "
                f"this space has {size:,}. Pass merge=False, or fewer nodes or operators."
            )

    @classmethod
    def nasbench201(cls, merge: bool = True) -> "CellSpace":
        """Return NAS-Bench-201's space: five cells of four nodes a stage, 15,625 genomes."""
        return cls(merge=merge)

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "n_cells": self.n_cells,
            "channels": list(self.channels),
            "n_nodes": self.n_nodes,
            "operators": list(self.operators),
            "merge": self.merge,
        }

    def canonical(self, genomes: IntArray) -> IntArray:
        """Return genomes ``(n, n_var)`` with one form for each network, if the space merges them."""
        if not self.merge:
            return genomes
        numbers = canonical_numbers(self.n_nodes, self.operators)[number(genomes, len(self.operators))]
        columns = np.unravel_index(numbers, tuple(self.n_choices))
        return np.column_stack(columns).astype(np.int64)

    def decode(self, genome: IntArray) -> Architecture:
        row = self.canonical(self.check(genome))[0]
        return self._network(Cell(tuple(self.operators[gene] for gene in row)))

    def encode(self, architecture: Architecture) -> IntArray:
        first = architecture.stages[0] if architecture.stages else None
        if not isinstance(first, CellStage) or architecture != self._network(first.cell):
            raise SpaceError(
                "This space has networks with one cell in all stages, such as "
                f"'{self.decode(self.genome_at(0))}'; got '{architecture}'."
            )
        if first.cell.n_nodes != self.n_nodes:
            raise SpaceError(f"This space has cells of {self.n_nodes} nodes; got {first.cell.n_nodes}.")
        genome = self.genome_of(first.cell.operators)
        canonical: IntArray = self.canonical(genome[None])[0]
        return canonical

    def tabulate(self, cost: BlockCost) -> NetworkTable | None:
        """Return a cost over blocks as a table of whole networks, if the space has few enough."""
        if self.size > _MOST_LISTED:
            return None
        return NetworkTable(self.n_choices, self.decode, cost, self._layers)

    def _layers(self, genome: IntArray) -> tuple[tuple[str, int], ...]:
        """Return what the layers of a genome's network follow from: what runs, and what is held beside."""
        row = self.canonical(genome[None])[0]
        steps = Cell(tuple(self.operators[gene] for gene in row.tolist())).steps()
        return tuple(sorted((edge.operator, held) for edge, held in steps))

    def _network(self, cell: Cell) -> Architecture:
        stages: list[CellStage | ResidualStage] = []
        for number_, channels in enumerate(self.channels):
            if number_:
                stages.append(ResidualStage(channels))
            stages.append(CellStage(cell, self.n_cells, channels))
        stem = Stem(self.channels[0], kernel=3, stride=1, act=False)
        return Architecture(stem, tuple(stages), Head(0, "norm_pool"))
