"""How initial weights are drawn, by name: known without torch."""

from typing import Literal, get_args

Init = Literal["kaiming", "xavier", "torch"]
INITS: tuple[Init, ...] = get_args(Init)
