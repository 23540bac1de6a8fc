"""Words of messages."""


def counted(number: float, thing: str) -> str:
    """So many things in words, where their plural takes an s: "1 alarm", "0 alarms", "2.5 alarms"."""
    said = f"{number:g}" if isinstance(number, float) else str(number)
    return f"{said} {thing}" if number == 1 else f"{said} {thing}s"
