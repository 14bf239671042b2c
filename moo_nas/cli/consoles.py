"""Where the command line prints: results on stdout, what it is doing on stderr."""

from rich.console import Console

# Without markup: a path with brackets is printed as it is.
OUT = Console(highlight=False, soft_wrap=True, markup=False)
ERR = Console(highlight=False, soft_wrap=True, stderr=True, markup=False)
