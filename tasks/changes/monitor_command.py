"""`safelight monitor`."""


def monitor() -> None:
    """Stub."""
