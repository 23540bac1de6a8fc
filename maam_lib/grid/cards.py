"""The paper's claims as sealed cards: what is claimed can be read, the verdict only once the card is opened (ours).

A card is a claim on one recipe. Its evidence is bought seed by seed: the claim's own judge, which made the verdict from
all seeds, is given the first few. So nothing stands on a card that the kit has not measured.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from maam_lib.grid.experiments import GridResults
from maam_lib.grid.judging import Claim, Finding
from maam_lib.grid.numbers import shared_seeds
from maam_lib.grid.paper_claims import claims
from maam_lib.grid.power import minutes_each


@dataclass(frozen=True)
class Card:
    """A claim on one recipe. Neither its fields nor its text tell the verdict: `opened` does."""

    name: str
    recipe: str
    variants: tuple[str, ...]  # trainings that one seed of evidence takes; none: it hangs on no seed
    seeds: tuple[int, ...]  # measured of all of them
    claim: Claim = field(repr=False)
    _grid: GridResults = field(repr=False)

    def evidence(self, seeds: int) -> str:
        """What the first few seeds say, in words. Of a claim that hangs on no seed it is free, and all there is."""
        return "" if self.variants and not seeds else self._found(seeds).evidence

    def opened(self) -> Finding:
        """The verdict on this recipe, from all seeds that were measured."""
        return self._found(len(self.seeds))

    def trainings(self, seeds: int) -> set[tuple[str, str, int]]:
        """(recipe, variant, seed) of each training behind the first few seeds."""
        return {(self.recipe, variant, seed) for variant in self.variants for seed in self.seeds[:seeds]}

    def minutes(self, variant: str) -> float:
        """That one training of a variant took, with its measuring; 0 where that was not kept."""
        return minutes_each(self._grid.results[variant]) or 0.0

    @cached_property
    def _judged(self) -> dict[int, Finding]:
        """Of so many seeds, what was asked for already: some judges build networks to count in."""
        return {}

    def _found(self, seeds: int) -> Finding:
        """What the claim's judge says of the first few seeds, or of all results."""
        seeds = min(seeds, len(self.seeds))
        if seeds not in self._judged:
            finding = self.claim.judge(self._grid if seeds == len(self.seeds) else self._first(seeds))
            if finding is None:
                raise ValueError(f"{self.name}: no result of {self.recipe} bears on it")
            self._judged[seeds] = finding
        return self._judged[seeds]

    def _first(self, seeds: int) -> GridResults:
        kept = set(self.seeds[:seeds])
        few = {name: [r for r in results if r.seed in kept] for name, results in self._grid.results.items()}
        return replace(self._grid, results={name: results for name, results in few.items() if results})


def deck(grids: Iterable[GridResults]) -> dict[str, Card]:
    """A card for every claim of the paper that results bear on, by name: on the first of the recipes that have any."""
    cards, grids = {}, list(grids)
    for claim in claims():
        judged = ((grid, claim.judge(grid)) for grid in grids)
        grid, finding = next(((grid, found) for grid, found in judged if found is not None), (None, None))
        if grid is not None and finding is not None:
            seeds = tuple(sorted(shared_seeds(grid.results, finding.variants)))
            cards[claim.name] = Card(claim.name, grid.recipe.name, finding.variants, seeds, claim, grid)
    return cards


def minutes_of(cards: Mapping[str, Card], seeds: Mapping[str, int]) -> float:
    """That the trainings behind some evidence take, card -> seeds: one that several cards need is paid once."""
    trainings = {training: cards[name] for name, count in seeds.items() for training in cards[name].trainings(count)}
    return sum(card.minutes(variant) for (_, variant, _), card in trainings.items())
