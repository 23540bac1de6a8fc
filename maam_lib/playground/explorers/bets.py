"""The sealed cards as a form: bet on each, buy seeds of evidence, change the bet, open the card."""

from collections.abc import Callable
from html import escape

import ipywidgets as widgets

from maam_lib.grid import NO_IDEA, BetError, Card, Review, State, brier
from maam_lib.playground.explorers.controls import ROW, WRONG, note


class CardForm(widgets.VBox):
    """One card: what is claimed, the bet, the evidence that was bought, and the verdict once it is open."""

    def __init__(self, card: Card, review: Review, changed: Callable[[], None]) -> None:
        self.card, self.review, self._changed = card, review, changed
        bet = review.sheet.last(card.name) if card.name in review.sheet.first else None
        states = [str(state) for state in State]
        self.verdict = widgets.ToggleButtons(options=states, value=str(bet.verdict if bet else State.OPEN))
        self.confidence = widgets.FloatSlider(
            bet.confidence if bet else NO_IDEA, min=NO_IDEA, max=1, step=0.01, readout_format=".0%", description="sure"
        )
        self.more = widgets.Button(description="buy a seed", icon="plus")
        self.opening = widgets.Button(description="open the card", icon="envelope-open")
        self.evidence, self.came = widgets.HTML(), widgets.HTML()
        claim = card.claim
        title = f"<b>{escape(card.name)}</b>: {escape(claim.text)} <i>({escape(claim.place)}; on {card.recipe})</i>"
        super().__init__(
            [
                widgets.HTML(f"{title}<details><summary>the rule</summary>{escape(claim.rule)}</details>"),
                widgets.HBox([self.verdict, self.confidence], layout=ROW),
                widgets.HBox([self.more, self.opening], layout=ROW),
                self.evidence,
                self.came,
            ]
        )
        self.more.on_click(lambda _: self._do(self.buy))
        self.opening.on_click(lambda _: self._do(self.unseal))
        self.refresh()

    @property
    def bet(self) -> tuple[str, float]:
        """As it stands in the form."""
        return str(self.verdict.value), float(self.confidence.value)

    def buy(self) -> None:
        """One more seed of evidence."""
        bought = (self.review.sheet.seeds or {}).get(self.card.name, 0)
        self.review.buy({self.card.name: min(bought + 1, len(self.card.seeds))})

    def unseal(self) -> None:
        """Hand in the bet as it stands, and see the verdict."""
        if self.review.sheet.seeds is None:
            self.review.first({self.card.name: self.bet})
        self.review.final({self.card.name: self.bet})
        self.review.open(self.card.name)

    def refresh(self) -> None:
        """Show what is known of the card."""
        sheet, name = self.review.sheet, self.card.name
        bought, came = (sheet.seeds or {}).get(name, 0), sheet.opened.get(name)
        seen = len(self.card.seeds) if came is not None else bought if sheet.seeds is not None else None
        self.evidence.value = "" if seen is None else escape(self.card.evidence(seen))
        self.more.disabled = came is not None or bought >= len(self.card.seeds)
        for control in (self.verdict, self.confidence, self.opening):
            control.disabled = came is not None
        if came is not None:
            bet = sheet.last(name)
            self.came.value = f"<b>{escape(str(came))}</b>; your bet: {bet}; Brier score {brier(bet, came):.2f}"

    def _do(self, step: Callable[[], None]) -> None:
        try:
            step()
        except BetError as error:
            self.came.value = note(str(error), WRONG)
        else:
            self._changed()


class BetForm(widgets.VBox):
    """A whole deck: every card, the minutes that are left, and the bets that count as first ones."""

    def __init__(self, review: Review) -> None:
        self.review, self.left = review, widgets.HTML()
        self.hand_in = widgets.Button(description="hand in the first bets", layout=widgets.Layout(width="auto"))
        self.cards = [CardForm(card, review, self.refresh) for card in review.cards.values()]
        super().__init__([self.left, self.hand_in, *self.cards])
        self.hand_in.on_click(lambda _: self.first())
        self.refresh()

    def first(self) -> None:
        """All bets as they stand become the first ones; the free evidence is shown."""
        self.review.first({form.card.name: form.bet for form in self.cards})
        self.review.buy({})
        self.refresh()

    def refresh(self) -> None:
        """Show what is known of all cards."""
        self.left.value = f"{self.review.minutes_left:.1f} of {self.review.sheet.budget:g} minutes left"
        self.hand_in.disabled = self.review.sheet.seeds is not None
        for form in self.cards:
            form.refresh()
