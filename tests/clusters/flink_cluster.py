"""A Flink session cluster on this machine, from jars: a JobManager, TaskManagers, Beam's job server, Python workers.

`python tests/clusters/flink_cluster.py [FOLDER]` starts one, prints the flags that send a job there, and stops it on
Ctrl-C. The tests use it too.
"""

import contextlib
import json
import os
import pathlib
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import venv
from collections.abc import Callable, Iterator, Mapping, Sequence

# tests/clusters is no package.
sys.path.insert(0, str(pathlib.Path(__file__).parent))
from hosts import LOOPBACK, Host

HERE = pathlib.Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
# Jars are kept here between runs; `make clean` removes them.
JARS = PROJECT / "build" / "clusters"
# Twenty seconds are usual; a TaskManager that registers too early retries after ten, or thirty.
START_SECONDS = 180
MAVEN_SECONDS = 240
# Options for Java 17 of a Flink distribution's bin/config.sh (env.java.opts.all of its config.yaml).
_EXPORTS = ("java.base/sun.net.util", "java.rmi/sun.rmi.registry", "java.security.jgss/sun.security.krb5")
_OPENS = ("lang", "net", "io", "nio", "lang.reflect", "text", "time", "util", "util.concurrent")
_JAVA = [
    *(f"--add-exports={name}=ALL-UNNAMED" for name in _EXPORTS),
    *(f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in _OPENS),
    *(f"--add-opens=java.base/java.util.concurrent.{name}=ALL-UNNAMED" for name in ("atomic", "locks")),
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-XX:+UseSerialGC",
    # A thread that runs out of memory ends, and a job that needs it would wait for ever: the whole process must end.
    "-XX:+ExitOnOutOfMemoryError",
]
# Time for which Beam keeps an idle Python worker.
_CACHE_MILLIS = 3000
_OF_JOB_MANAGER = ("jobmanager.rpc.address", "rest.address", "rest.bind-address")
# Flink's REST server forwards uploads to the BLOB server, which it looks for at localhost.
_BIND = "jobmanager.bind-host"
_OF_TASK_MANAGER = ("taskmanager.host", "taskmanager.bind-host")
_SETTINGS = {
    "taskmanager.numberOfTaskSlots": "2",
    # Memory in parts, because only a shell script of the distribution computes them from a total.
    "taskmanager.cpu.cores": "1",
    "taskmanager.memory.framework.heap.size": "128m",
    "taskmanager.memory.framework.off-heap.size": "64m",
    "taskmanager.memory.task.heap.size": "256m",
    "taskmanager.memory.task.off-heap.size": "0m",
    "taskmanager.memory.network.min": "128m",
    "taskmanager.memory.network.max": "128m",
    "taskmanager.network.sort-shuffle.min-buffers": "64",
    "taskmanager.memory.managed.size": "128m",
    "taskmanager.memory.jvm-metaspace.size": "256m",
    "taskmanager.memory.jvm-overhead.min": "64m",
    "taskmanager.memory.jvm-overhead.max": "64m",
    "classloader.resolve-order": "parent-first",
    # A failed task (a worker or a whole TaskManager died) is repeated on the remaining ones, but not before Beam has
    # dropped the dead worker.
    "restart-strategy.type": "fixed-delay",
    "restart-strategy.fixed-delay.attempts": "3",
    "restart-strategy.fixed-delay.delay": f"{_CACHE_MILLIS + 2000} ms",
    "cluster.evenly-spread-out-slots": "true",
    # A dead TaskManager is noticed in seconds.
    "heartbeat.interval": "1000",
    "heartbeat.timeout": "8000",
    "slot.request.timeout": "30000",
}


class Unavailable(Exception):
    """Java, Maven or the jars are not available: the message names which."""


def fetch_jars() -> pathlib.Path:
    """Fetches Flink into JARS/lib, and Beam's runner into JARS/job-server.jar, by Maven, unless they exist.

    Raises:
        Unavailable: a program or a jar is not available.
    """
    for program in ("java", "mvn"):
        if not shutil.which(program):
            raise Unavailable(f"`{program}` is not installed")
    steps = {
        JARS / "lib": ["-f", HERE / "flink.xml", "dependency:copy-dependencies", f"-DoutputDirectory={JARS / 'new'}"],
        JARS / "job-server.jar": ["-f", HERE / "job_server.xml", "package", f"-DbuildDirectory={JARS / 'new'}"],
    }
    for target, arguments in steps.items():
        if target.exists():
            continue
        shutil.rmtree(JARS / "new", ignore_errors=True)
        try:
            subprocess.run(
                ["mvn", "-q", "-B", *arguments], timeout=MAVEN_SECONDS, check=True, stdout=subprocess.PIPE, text=True
            )
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"Maven does not get the jars within {MAVEN_SECONDS} s") from error
        except subprocess.CalledProcessError as error:
            reason = next((line for line in error.stdout.splitlines() if "ERROR" in line), "no reason given")
            raise Unavailable(f"Maven does not get the jars: {reason}") from error
        (JARS / "new" / (target.name if target.suffix else "")).rename(target)
    return JARS


class FlinkCluster:
    """Processes on free ports of this machine, with their logs in a folder; all are ended by their process numbers.

    Args:
        folder: for logs and staged files.
        hosts: the JobManager's, then each TaskManager's.
        environment: additional variables for all processes, the Python workers included.
    """

    def __init__(
        self, folder: pathlib.Path, hosts: Sequence[Host] = (LOOPBACK,) * 3, environment: Mapping[str, str] = {}
    ):
        self.folder = folder
        self._head, *self._hosts = hosts
        self._environment = dict(environment)
        self.jars = fetch_jars()
        self.task_managers: list[subprocess.Popen] = []
        self._processes: list[subprocess.Popen] = []
        self._ports = {name: str(free_port()) for name in ("jobmanager.rpc.port", "rest.port", "blob.server.port")}
        (folder / "conf").mkdir(parents=True)
        (folder / "conf" / "config.yaml").write_text("")
        self.python = make_worker_python(folder / "python")
        self.boot = folder / "boot"
        self.boot.write_text(f'#!/bin/sh\nexec {self.python} {HERE / "boot.py"} "$@"\n')
        self.boot.chmod(0o755)
        try:
            entry = "entrypoint.StandaloneSessionClusterEntrypoint"
            self.job_manager = self._flink("jobmanager", entry, "256m", self._head)
            self._start_job_server()
            for host in self._hosts:
                self.add_task_manager(host)
            self.wait_for(len(self._hosts))
        except BaseException:
            self.stop()
            raise

    @property
    def address(self) -> str:
        """Host and port of Flink's REST server: the value of --flink_master."""
        return f"{self._head.address}:{self._ports['rest.port']}"

    def flags(self) -> list[str]:
        """Returns the flags of Beam for a job on this cluster, with Python workers started by each TaskManager."""
        return [
            "--runner=PortableRunner",
            f"--job_endpoint=127.0.0.1:{self._job_port}",
            "--environment_type=PROCESS",
            f"--environment_config={json.dumps({'command': str(self.boot)})}",
            f"--environment_cache_millis={_CACHE_MILLIS}",
            "--parallelism=2",
            f"--setup_file={PROJECT / 'setup.py'}",
        ]

    def pool_flags(self, port: int) -> list[str]:
        """Returns the flags for a job on this cluster with the Python workers of a worker pool on a port."""
        kept = [flag for flag in self.flags() if not flag.startswith("--environment_")]
        return [*kept, "--environment_type=EXTERNAL", f"--environment_config=127.0.0.1:{port}"]

    def add_task_manager(self, host: Host = LOOPBACK) -> None:
        """Starts one more TaskManager."""
        name = f"taskmanager-{len(self.task_managers)}"
        self.task_managers.append(self._flink(name, "taskexecutor.TaskManagerRunner", "2g", host))

    def start_pool(self) -> int:
        """Starts a worker pool, as Beam's image does, and returns its port.

        Each TaskManager needs its own: they number their workers alike, and a shared pool would mix them up.
        """
        port = free_port()
        module = ["-m", "apache_beam.runners.worker.worker_pool_main"]
        self._start(
            "pool", [str(self.python), *module, f"--service_port={port}", f"--container_executable={self.boot}"]
        )
        self._wait_until(lambda: answers(port), "the worker pool")
        return port

    def workers(self) -> list[int]:
        """Returns the process numbers of the active Python workers."""
        found = [pid for process in self._processes for pid in children(process.pid)]
        return [pid for pid in found if "sdk_worker_main" in command_of(pid)]

    def wait_for(self, task_managers: int) -> None:
        """Waits until the given number of TaskManagers have registered, and the job server answers."""
        self._wait_until(lambda: answers(self._job_port), "the job server")
        self._wait_until(lambda: self._registered() == task_managers, f"{task_managers} TaskManagers")

    def stop(self) -> None:
        """Ends all processes."""
        running = [process for process in reversed(self._processes) if process.poll() is None]
        orphans = [pid for process in running for pid in children(process.pid)]
        for process in running:
            process.terminate()
        for process in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()
        for pid in orphans:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _wait_until(self, is_ready: Callable[[], bool], name: str) -> None:
        """Waits until a part of the cluster is ready.

        Raises:
            TimeoutError: it is not ready in time; with the last lines of all logs.
        """
        end = time.monotonic() + START_SECONDS
        while not is_ready():
            if time.monotonic() > end:
                logs = [f"{log.name}:\n{tail(log)}" for log in sorted(self.folder.glob("*.log"))]
                raise TimeoutError("\n\n".join([f"{name}: not within {START_SECONDS} s", *logs]))
            time.sleep(0.2)

    def _registered(self) -> int:
        try:
            with urllib.request.urlopen(f"http://{self.address}/overview", timeout=5) as answer:
                return json.load(answer)["taskmanagers"]
        except OSError:
            return -1

    def _flink(self, name: str, main: str, heap: str, host: Host) -> subprocess.Popen:
        settings = {**_SETTINGS, **self._ports, "io.tmp.dirs": str(self.folder / f"{name}-tmp")}
        settings |= dict.fromkeys(_OF_JOB_MANAGER, self._head.address) | {_BIND: self._head.bind}
        settings |= dict.fromkeys(_OF_TASK_MANAGER, host.address)
        settings["web.upload.dir"] = str(self.folder / "upload")
        given = [f"-D{key}={value}" for key, value in settings.items()]
        entry = [f"org.apache.flink.runtime.{main}", "--configDir", self.folder / "conf"]
        return self._java(name, heap, *entry, *given, prefix=host.prefix)

    def _start_job_server(self) -> subprocess.Popen:
        """Starts the server that accepts jobs from Beam and stores their staged files visibly to all TaskManagers."""
        self._job_port = free_port()
        ports = [f"--job-port={self._job_port}", "--artifact-port=0", "--expansion-port=0"]
        flags = [f"--flink-master={self.address}", f"--artifacts-dir={self.folder / 'artifacts'}", *ports]
        return self._java("job-server", "512m", "org.apache.beam.runners.flink.FlinkJobServerDriver", *flags)

    def _java(
        self, name: str, heap: str, main: object, *arguments: object, prefix: Sequence[str] = ()
    ) -> subprocess.Popen:
        # Beam's runner is among the cluster's own classes: otherwise it would end its Python workers after each step.
        classes = f"{self.jars / 'lib'}/*:{self.jars / 'job-server.jar'}"
        memory = [f"-Xmx{heap}", "-XX:MaxDirectMemorySize=512m"]
        return self._start(name, [*prefix, "java", *memory, *_JAVA, "-cp", classes, *map(str, (main, *arguments))])

    def _start(self, name: str, command: list[str]) -> subprocess.Popen:
        environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
        environment |= self._environment | {"TMPDIR": str(self.folder), "TF_CPP_MIN_LOG_LEVEL": "2"}
        with open(self.folder / f"{name}.log", "ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, env=environment)
        self._processes.append(process)
        return process


def make_worker_python(folder: pathlib.Path) -> pathlib.Path:
    """Makes a Python with this one's packages, but without the project, which is staged with the job."""
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    site = next(folder.glob("lib/python*/site-packages"))
    # Python does not follow the .pth files of a folder that a .pth file names, so an editable install stays behind.
    (site / "dependencies.pth").write_text("\n".join(p for p in sys.path if p.endswith("-packages")) + "\n")
    check = "import importlib.util as u; assert u.find_spec('apache_beam') and not u.find_spec('photochrom')"
    subprocess.run([python, "-c", check], check=True, cwd=folder, env={**os.environ, "PYTHONPATH": ""})
    return python


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def tail(log: pathlib.Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:])


def children(pid: int) -> list[int]:
    """Returns the process numbers of all descendants of a process."""
    found = []
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, path.read_text().split()):
                found += [child, *children(child)]
    return found


def command_of(pid: int) -> str:
    """Returns the command line of a process, "" if it has ended."""
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    return ""


@contextlib.contextmanager
def running(folder: pathlib.Path, **settings) -> Iterator[FlinkCluster]:
    """A cluster while the body runs."""
    cluster = FlinkCluster(folder, **settings)
    try:
        yield cluster
    finally:
        cluster.stop()


def main() -> None:
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="flink-"))
    with running(folder.resolve()) as cluster:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        print(f"Flink at http://{cluster.address}, logs in {folder}; a job runs there with")
        print(*map(shlex.quote, cluster.flags()), flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    main()
