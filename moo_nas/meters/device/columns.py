"""The columns of a table of measurements, and what can be in them."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from moo_nas.errors import InputError

Cell = float | str | None

_HOTTEST, _COLDEST = 150.0, -90.0

# Python also takes "1_5", "nan" and digits of other scripts for numbers.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_LARGEST = 100_000  # pixels, images or classes


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table of measurements.

    Args:
        name: Its heading; a unit ends it.
        unit: The unit in words; none for text.
        meaning: What it says, for whoever fills it in.
        needed: Must every row have it?
        lowest: The least value that can be.
        highest: The greatest.
        open_: Is ``lowest`` itself excluded?
        whole: Is it an integer?
        words: The only words that a text can be; none for any text.
    """

    name: str
    unit: str | None
    meaning: str
    needed: bool = False
    lowest: float = -math.inf
    highest: float = math.inf
    open_: bool = False
    whole: bool = False
    words: tuple[str, ...] = ()

    def value(self, text: str) -> Cell:
        """Return what a cell says, None where it is empty.

        Raises:
            ValueError: It cannot be; the message says why.
        """
        text = text.strip()
        if not text:
            if self.needed:
                raise ValueError(f"{self.name} is empty; leave out the rows that were not measured")
            return None
        if self.unit is None:
            if self.words and text.lower() not in self.words:
                raise ValueError(f"{self.name} must be {' or '.join(self.words)}; got '{text}'")
            return text.lower() if self.words else text
        value = float(text) if _NUMBER.fullmatch(text) else math.nan
        if not math.isfinite(value) or (self.whole and not value.is_integer()):
            kind = "an integer" if self.whole else "a number"
            raise ValueError(f"{self.name} must be {kind}, in {self.unit}; got '{text}'")
        if value < self.lowest or value > self.highest or (self.open_ and value == self.lowest):
            wanted = f"more than {self.lowest:g}" if self.open_ else f"{self.lowest:g} or more"
            if self.highest < math.inf:
                wanted += f" and {self.highest:.0f} or less"
            raise ValueError(f"{self.name} must be {wanted}, in {self.unit}; got {text}")
        return value


COLUMNS = (
    Column("architecture", None, "the network, as its line in manifest.csv", needed=True),
    Column(
        "latency_ms",
        "milliseconds",
        "median time of one run on the whole batch",
        needed=True,
        lowest=0,
        open_=True,
    ),
    Column("spread_ms", "milliseconds", "half the distance between the quartiles of the runs", lowest=0),
    Column("energy_mj", "millijoules", "energy of one run on the whole batch", lowest=0, open_=True),
    Column(
        "idle_subtracted",
        None,
        "`yes` if the device's idle power was taken off energy_mj, `no` if not; needed where energy_mj is "
        "filled in, the same in every row",
        words=("yes", "no"),
    ),
    Column("peak_power_w", "watts", "the highest power read during the runs", lowest=0, open_=True),
    Column("tool", None, "what measured: the runtime, its version and settings, the power meter"),
    Column(
        "ambient_c",
        "degrees Celsius",
        "temperature of the room",
        lowest=_COLDEST,
        highest=_HOTTEST,
    ),
    Column("device", None, "what was measured on; the same in every row"),
    *(
        Column(
            name,
            unit,
            f"{meaning}; filled in already",
            needed=True,
            lowest=0,
            highest=_LARGEST,
            open_=True,
            whole=True,
        )
        for name, unit, meaning in (
            ("image_size", "pixels", "width of the images"),
            ("batch_size", "images", "how many images one run takes"),
            ("n_classes", "classes", "how many classes the networks tell apart"),
        )
    ),
)
BY_NAME = {column.name: column for column in COLUMNS}


def check_header(header: Sequence[str], path: Path) -> None:
    """Refuse a heading that is no column, or there twice, or not there.

    Raises:
        InputError: It is so; the message says what the cause may be.
    """
    known = ", ".join(BY_NAME)
    if header[:1] and header[0].lower().startswith("sep="):
        raise InputError(f"{path}, line 1: '{','.join(header)}' is a note to Excel; delete that line.")
    if len(header) == 1 and (";" in header[0] or "\t" in header[0]):
        raise InputError(f"{path}, line 1: cells are separated by commas; got '{header[0]}'.")
    for place, name in enumerate(header, start=1):
        if name not in BY_NAME:
            raise InputError(f"{path}, line 1: {_unknown(place, name, len(header))} Known: {known}.")
        if header.count(name) > 1:
            raise InputError(f"{path}, line 1: the column '{name}' is there more than once.")
    for column in COLUMNS:
        if column.needed and column.name not in header:
            raise InputError(f"{path}, line 1: the column '{column.name}' is missing. Known: {known}.")


def _unknown(place: int, name: str, n: int) -> str:
    if place == 1 and (not name or name.startswith("Unnamed")):
        return "the first column has no name. If it is pandas' index, write the table with index=False."
    if not name:
        end = ": do lines end with a comma too many?" if place == n else "."
        return f"column {place} has no name{end}"
    close = get_close_matches(name, BY_NAME, n=1, cutoff=0.4)
    return f"unknown column '{name}'" + (f"; did you mean '{close[0]}'?" if close else ".")
