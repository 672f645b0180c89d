"""What Snakemake puts into a script before it runs, for the type checker."""

from typing import Any

snakemake: Any
