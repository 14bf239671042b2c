"""What every search space keeps to."""

import json
import math
from abc import ABC, abstractmethod

import numpy as np
import pytest

from moo_nas.arrays import IntArray
from moo_nas.errors import SpaceError
from moo_nas.spaces import SearchSpace

# Spaces up to this size are looked at whole.
SMALL = 2000


class SpaceKit(ABC):
    """Tests of a :class:`~moo_nas.spaces.SearchSpace`: override :meth:`space`.

    Example:
        .. code-block:: python

            class TestMySpace(SpaceKit):
                def space(self):
                    return MySpace(n_stages=3)
    """

    n_drawn = 100

    @abstractmethod
    def space(self) -> SearchSpace:
        """Return the space."""

    def drawn(self) -> IntArray:
        """Return genomes to look at ``(n, n_var)``: all of a small space, else a sample."""
        space = self.space()
        if space.size <= SMALL:
            return np.array([space.genome_at(i) for i in range(space.size)])
        return space.sample(self.n_drawn, seed=0)

    def test_decode_then_encode_is_canonical(self) -> None:
        space, genomes = self.space(), self.drawn()
        for genome, canonical in zip(genomes, space.canonical(genomes), strict=True):
            assert space.encode(space.decode(genome)).tolist() == canonical.tolist()

    def test_canonical_is_idempotent_and_keeps_the_architecture(self) -> None:
        space, genomes = self.space(), self.drawn()
        canonical = space.canonical(genomes)
        assert canonical.dtype == np.int64
        assert canonical.shape == genomes.shape
        assert (space.canonical(canonical) == canonical).all()
        for before, after in zip(genomes, canonical, strict=True):
            assert space.decode(before) == space.decode(after)

    def test_canonical_leaves_its_argument_as_it_was(self) -> None:
        genomes = self.drawn()
        before = genomes.copy()
        self.space().canonical(genomes)
        assert (genomes == before).all()

    def test_equal_architectures_have_equal_canonical_genomes(self) -> None:
        space, genomes = self.space(), self.drawn()
        canonical = {tuple(genome) for genome in space.canonical(genomes).tolist()}
        assert len({space.decode(genome) for genome in genomes}) == len(canonical)

    def test_an_architectures_text_reads_back(self) -> None:
        space = self.space()
        for genome in self.drawn():
            architecture = space.decode(genome)
            assert type(architecture).parse(str(architecture)) == architecture

    def test_architectures_are_hashable_and_equal_when_decoded_again(self) -> None:
        space, genome = self.space(), self.drawn()[0]
        assert len({space.decode(genome), space.decode(genome.copy())}) == 1

    def test_a_sample_is_int64_and_in_bounds(self) -> None:
        space = self.space()
        sample = space.sample(self.n_drawn, seed=1)
        assert sample.dtype == np.int64
        assert sample.shape == (self.n_drawn, space.n_var)
        assert ((sample >= 0) & (sample < space.n_choices)).all()
        assert space.sample(0, seed=1).shape == (0, space.n_var)

    def test_a_sample_reaches_every_choice_of_every_gene(self) -> None:
        space = self.space()
        sample = space.sample(60 * int(space.n_choices.max()), seed=1)
        for position, n in enumerate(space.n_choices):
            assert set(sample[:, position].tolist()) == set(range(int(n)))

    def test_equal_seeds_give_equal_samples_and_a_generator_is_moved_on(self) -> None:
        space = self.space()
        first = space.sample(self.n_drawn, seed=2)
        assert (space.sample(self.n_drawn, seed=2) == first).all()
        assert (space.sample(self.n_drawn, seed=3) != first).any()
        rng = np.random.default_rng(2)
        assert (space.sample(self.n_drawn, rng) == first).all()
        assert (space.sample(self.n_drawn, rng) != first).any()

    def test_genome_at_numbers_the_genomes(self) -> None:
        space = self.space()
        if space.size <= SMALL:
            every = {tuple(space.genome_at(i).tolist()) for i in range(space.size)}
            assert len(every) == space.size
        last = np.array([space.genome_at(0), space.genome_at(space.size - 1)])
        assert last.dtype == np.int64
        assert space.check(last).shape == (2, space.n_var)
        assert (last[0] != last[1]).any()

    def test_distinct_at_numbers_the_canonical_genomes(self) -> None:
        space = self.space()
        some = range(space.n_distinct) if space.n_distinct <= SMALL else (0, space.n_distinct - 1)
        numbered = np.array([space.distinct_at(i) for i in some])
        assert (space.canonical(numbered) == space.check(numbered)).all()
        if space.size <= SMALL:
            every = space.canonical(np.array([space.genome_at(i) for i in range(space.size)]))
            assert {*map(tuple, numbered.tolist())} == {*map(tuple, every.tolist())}
        assert space.n_distinct <= space.size

    def test_the_size_is_the_product_of_the_choices(self) -> None:
        space = self.space()
        assert space.size == math.prod(len(gene.choices) for gene in space.genes)
        assert space.n_choices.tolist() == [len(gene.choices) for gene in space.genes]
        assert len({gene.name for gene in space.genes}) == space.n_var

    def test_choices_are_those_of_the_genes_and_lead_back(self) -> None:
        space, genomes = self.space(), self.drawn()[:20]
        table = space.choices(genomes)
        assert list(table.columns) == [gene.name for gene in space.genes]
        for genome, row in zip(genomes, table.itertuples(index=False), strict=True):
            assert space.genome_of(row).tolist() == genome.tolist()

    def test_real_numbers_are_refused(self) -> None:
        space = self.space()
        with pytest.raises(SpaceError, match="integers"):
            space.decode(space.genome_at(0).astype(np.float64))

    def test_an_index_that_a_gene_does_not_have_is_refused_by_the_genes_name(self) -> None:
        space = self.space()
        for position, gene in enumerate(space.genes):
            for index in (-1, len(gene.choices)):
                genome = space.genome_at(0)
                genome[position] = index
                with pytest.raises(SpaceError, match=f"'{gene.name}'.*{index}"):
                    space.decode(genome)

    def test_a_genome_of_another_width_is_refused(self) -> None:
        space = self.space()
        for genome in (space.genome_at(0)[1:], np.append(space.genome_at(0), 0)):
            with pytest.raises(SpaceError, match=str(space.n_var)):
                space.decode(genome)

    def test_settings_are_json_and_the_same_for_an_equal_space(self) -> None:
        settings = self.space().settings
        assert json.dumps(settings, sort_keys=True) == json.dumps(self.space().settings, sort_keys=True)
        assert json.loads(json.dumps(settings))
