"""Which process runs which tests: long ones first, a file's tests together."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

# Whole runs of the workflow, the longest first. Each is a unit of its own; so is every test of
# the others in tests/workflow/, which share nothing but the finished run.
LONG = ("test_slurm.py", "test_kills.py", "test_storage.py")
TOGETHER = {  # a file's tests share a run
    *("test_slurm.py", "test_storage.py", "test_harmonised.py"),
    *("test_imported.py", "test_predicting.py"),
}
MOST = 6  # cores that are used: a process takes a gigabyte
SPARE = 1  # processes beyond the cores, as some tests wait for others' jobs


def n_processes(config: pytest.Config) -> int:
    """As many as there are cores and some; none but this one for files that are named."""
    named = config.args_source == pytest.Config.ArgsSource.ARGS
    if named and not any(Path(argument).is_dir() for argument in config.args):
        return 0
    waiting = SPARE if not config.option.markexpr else 0  # with -m "not slow" nobody waits
    return min(len(os.sched_getaffinity(0)), MOST) + waiting


def long_first(items: list[pytest.Item]) -> None:
    """Sort tests in place, files with more slow tests before others."""
    slow: dict[Path, int] = {}
    for item in items:
        slow[item.path] = slow.get(item.path, 0) + (item.get_closest_marker("slow") is not None)

    def order(item: pytest.Item) -> tuple[int, bool, int]:
        name, folder = item.path.name, item.path.parent.name
        known = LONG.index(name) if folder == "workflow" and name in LONG else len(LONG)
        return known, folder != "workflow", -slow[item.path]

    items.sort(key=order)


class LongFirst(LoadScopeScheduling):
    """Units in the order of collection; behind one of tests/workflow/, a short one waits.

    A process must know its next test before it begins one. What waits behind a long test is
    therefore taken from the end of the queue, where the short files are.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        return nodeid if self._is_long(file) and Path(file).name not in TOGETHER else file

    def _is_long(self, scope: str) -> bool:
        return "/workflow/" in scope.split("::", 1)[0]

    def _reschedule(self, node) -> None:
        """Give a process its next tests, unless it replaces one that died and still collects."""
        if node in self.registered_collections:
            super()._reschedule(node)

    def _assign_work_unit(self, node) -> None:
        pending = self.assigned_work.get(node, {})
        if any(self._is_long(scope) and not all(unit.values()) for scope, unit in pending.items()):
            self.workqueue.move_to_end(next(reversed(self.workqueue)), last=False)
        super()._assign_work_unit(node)

    def remove_node(self, node) -> str | None:
        """The test at which a process ended, which fails; xdist would begin it again and again."""
        units = self.assigned_work.pop(node)
        crashed = next((t for u in units.values() for t, done in u.items() if not done), None)
        for scope, unit in units.items():
            if crashed in unit:
                unit[crashed] = True
            if not all(unit.values()):
                self.workqueue[scope] = unit
        for other in self.assigned_work:
            self._reschedule(other)
        return crashed
