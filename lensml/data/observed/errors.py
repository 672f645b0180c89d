"""Why an observed cut-out cannot be used."""


class UnusableImageError(ValueError):
    """Why a cut-out cannot be scored: one line that a reader of the table can act on."""
