"""A wheel carries the workflow, from which ``lensml init`` writes a project."""

import runpy
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Workflow(BuildHookInterface):
    """Takes along what lies beside the package; an editable install finds it there."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the files, of a wheel that is no editable install's."""
        if version == "standard":
            parts = runpy.run_path(str(Path(self.root, "lensml", "shipped.py")))["PARTS"]
            build_data["force_include"] |= {name: f"lensml/project/{name}" for name in parts}
