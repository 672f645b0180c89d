"""A SLURM of one node in a folder of its own, which /etc/slurm/slurm.conf points at meanwhile.

Munge authenticates, slurmctld schedules, slurmd runs the jobs. GPUs are null devices: jobs that
ask for one get CUDA_VISIBLE_DEVICES, and torch finds nothing behind it. SLURM ends a job that
takes more memory than it asked for, and takes jobs of the partition ``scavenge`` off the node for
those of ``urgent``, to start them again later.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CLUSTER = "lensml_test"
SYSTEM_WIDE = Path("/etc/slurm/slurm.conf")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol")
CONFIGURATION = """\
ClusterName={name}
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
GresTypes=gpu
ReturnToService=2
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
StateSaveLocation={folder}/slurmctld
SlurmdSpoolDir={folder}/slurmd
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
KillWait=2
MinJobAge=600
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,defer_batch=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=0
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} Gres=gpu:{gpus} State=UNKNOWN
PartitionName=cpu Nodes={host} Default=YES MaxTime=1-00:00:00 State=UP PriorityTier=10
PartitionName=scavenge Nodes={host} MaxTime=1-00:00:00 State=UP PriorityTier=1
PartitionName=urgent Nodes={host} MaxTime=1-00:00:00 State=UP PriorityTier=100 PreemptMode=OFF
"""


def missing() -> str | None:
    """Why no SLURM can be started here."""
    if os.geteuid() != 0:
        return "starting a SLURM takes root"
    if SYSTEM_WIDE.exists() and f"ClusterName={CLUSTER}" not in SYSTEM_WIDE.read_text():
        return f"this machine has a SLURM of its own ({SYSTEM_WIDE})"
    absent = [name for name in PROGRAMS if _program(name) is None]
    return f"not installed: {', '.join(absent)}" if absent else None


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@dataclass
class Cluster:
    """A running SLURM."""

    folder: Path

    def run(self, *command: str) -> str:
        """Standard output of one of SLURM's commands."""
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        return done.stdout

    def jobs(self, *states: str) -> dict[int, str]:
        """Number -> comment, which names the rule, of the jobs in some states."""
        lines = self.run(
            "squeue", "--noheader", "--states", ",".join(states), "--format", "%i|%k"
        ).splitlines()
        pairs = [line.split("|", 1) for line in lines]
        return {int(number): comment for number, comment in pairs if number.isdigit()}


@contextmanager
def one_node(folder: Path, *, cpus: int = 8, gpus: int = 8) -> Iterator[Cluster]:
    """Start a SLURM in a new folder, and stop it afterwards."""
    for name in ("", "slurmctld", "slurmd", "gpus"):
        (folder / name).mkdir(mode=0o755, exist_ok=True)
    folder.chmod(0o755)
    host = socket.gethostname().split(".")[0]
    memory = (
        256_000  # MB; more than there is, as jobs of a test need a fraction of what they ask for
    )
    (folder / "slurm.conf").write_text(
        CONFIGURATION.format(
            folder=folder,
            name=CLUSTER,
            host=host,
            controller_port=_free_port(),
            node_port=_free_port(),
            cpus=cpus,
            gpus=gpus,
            memory=memory,
        )
    )
    devices = [folder / "gpus" / f"nvidia{n}" for n in range(gpus)]
    for device in devices:
        os.mknod(device, mode=0o20666, device=os.makedev(1, 3))
    (folder / "gres.conf").write_text(
        "".join(f"Name=gpu File={device} Flags=nvidia_gpu_env\n" for device in devices)
    )
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    cluster = Cluster(folder)
    daemons: list[subprocess.Popen] = []
    # SLURM_CONF would not do: Snakemake's plugin drops every SLURM_* variable from its jobs.
    SYSTEM_WIDE.parent.mkdir(exist_ok=True)
    SYSTEM_WIDE.unlink(missing_ok=True)  # left by tests that were killed
    SYSTEM_WIDE.symlink_to(folder / "slurm.conf")
    try:
        for command in _daemons(folder):
            daemons.append(_start(command, cluster))
        _wait_until_idle(cluster, daemons)
        yield cluster
    finally:
        SYSTEM_WIDE.unlink(missing_ok=True)
        for daemon in reversed(daemons):
            daemon.terminate()
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()


def _daemons(folder: Path) -> list[list[str]]:
    named = {name: _program(name) or name for name in ("munged", "slurmctld", "slurmd")}
    files = {"key-file": "munge.key", "socket": "munge.socket", "pid-file": "munge.pid"}
    files |= {"log-file": "munge.log", "seed-file": "munge.seed"}
    munge = [f"--{option}={folder / file}" for option, file in files.items()]
    return [
        [named["munged"], "--foreground", "--force", *munge],
        [named["slurmctld"], "-D"],
        [named["slurmd"], "-D"],
    ]


def _start(command: list[str], cluster: Cluster) -> subprocess.Popen:
    name = Path(command[0]).name
    own = {**os.environ, "SLURM_CONF": str(cluster.folder / "slurm.conf")}  # with its gres.conf
    with (cluster.folder / f"{name}.out").open("wb") as out:
        daemon = subprocess.Popen(
            command, env=own, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    if name == "munged":
        deadline = time.monotonic() + 20
        while not (cluster.folder / "munge.socket").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
    return daemon


def _wait_until_idle(cluster: Cluster, daemons: list[subprocess.Popen]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        done = subprocess.run(
            ["sinfo", "--noheader", "--format", "%T"],
            capture_output=True,
            text=True,
        )
        if "idle" in done.stdout:
            return
        if any(daemon.poll() is not None for daemon in daemons):
            break
        time.sleep(0.5)
    logs = {path.name: path.read_text()[-1500:] for path in cluster.folder.glob("*.out")}
    logs |= {path.name: path.read_text()[-1500:] for path in cluster.folder.glob("*.log")}
    raise RuntimeError(f"SLURM did not start: {logs}")
