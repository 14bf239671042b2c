"""What options of the command line say: names, pairs, limits."""

from moo_nas.errors import InputError


def words(text: str) -> list[str]:
    """Return names that are separated by commas."""
    found = [word.strip() for word in text.split(",")]
    if not all(found):
        raise InputError(f"Expected names separated by commas; got '{text}'.")
    return found


def pairs(texts: list[str] | None, option: str) -> dict[str, str]:
    """Return values by name, of texts such as ``name=value``; errors name the option."""
    found = {}
    for text in texts or ():
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise InputError(f"{option} takes name=value; got '{text}'.")
        if name.strip() in found:
            raise InputError(f"{option} gives '{name.strip()}' twice.")
        found[name.strip()] = value.strip()
    return found


def limits_of(texts: list[str] | None) -> dict[str, float]:
    """Return what ``--limit`` was given, by metric."""
    limits = {}
    for metric, text in pairs(texts, "--limit").items():
        try:
            limits[metric] = float(text)
        except ValueError:
            raise InputError(f"--limit takes metric=number; got '{metric}={text}'.") from None
    return limits
