"""Commands of CK that are not supported here: what to use instead, or why they are not needed."""

from __future__ import annotations

from dataclasses import dataclass

from ck_repo.actions.declare import Action, Answer
from ck_repo.actions.request import Request
from ck_repo.errors import NotFoundError


@dataclass(frozen=True)
class Retired:
    """A command that is not supported.

    Attributes
    ----------
    action, module
        The words of the command; without a module the action alone.
    answer
        What to use, or why nothing is needed.
    accepted
        Whether the command succeeds and prints the answer as a note, so that scripts can continue.
    """

    action: str
    module: str
    answer: str
    accepted: bool = False

    @property
    def command(self) -> str:
        """The command as typed."""
        return f"ck {self.action} {self.module}".rstrip()


_TUNED = (
    "`ck run program:object-detection` measures threads, sessions and batch size before the test; "
    "`ck find performance` searches for the highest target"
)
_SHOWN = "there is no web interface: `ck ls experiment`, `ck show experiment:NAME` and `ck ls result` print tables"
_COMPARED = "`ck compare experiment:A experiment:B` prints the results side by side; `ck report experiment:A` draws charts"
_MACHINE = "`ck describe system` writes the description of this machine; `ck detect platform` prints it"
_ROUND = "`ck run program:object-detection --scenario=… --mode=…` runs the benchmark; `--official` takes the round's settings"
_NO_CONTAINERS = "there are no containers: `ck bundle venv:NAME` packs everything that a run needs into one file"
_SAME_MACHINE = "the machine's clocks are not changed; every run records the governor and the load"

RETIRED = (
    Retired("setup", "kernel", "nothing to set up: packages are installed in CK_TOOLS", accepted=True),
    Retired("set", "kernel", "nothing to set up: packages are installed in CK_TOOLS", accepted=True),
    Retired(
        "compile", "program", "nothing to compile: programs here are Python, and `ck run program:NAME` runs them", accepted=True
    ),
    Retired(
        "clean", "program", "nothing to clean: runs are kept as experiments; `ck clean env` frees disk space", accepted=True
    ),
    Retired(
        "clean_tmp", "program", "nothing to clean: runs are kept as experiments; `ck clean env` frees disk space", accepted=True
    ),
    Retired(
        "rmtmp",
        "env",
        "nothing to remove: unfinished installations are not visible; `ck clean env` frees disk space",
        accepted=True,
    ),
    Retired("start", "web", _SHOWN),
    Retired("display", "dashboard", _SHOWN),
    Retired("browser", "experiment", _SHOWN),
    Retired("browse", "experiment", _SHOWN),
    Retired("html_viewer", "experiment", _SHOWN),
    Retired("plot", "graph", _COMPARED),
    Retired("replay", "graph", _COMPARED),
    Retired("get", "experiment", "`ck load experiment:NAME --out=json` prints the complete record"),
    Retired("load_point", "experiment", "`ck load experiment:NAME --out=json` prints the complete record"),
    Retired("delete_points", "experiment", "an experiment is one run: `ck rm experiment:NAME` removes it"),
    Retired("stat_analysis", "experiment", "`ck replay experiment:NAME --repetitions=5` measures again and compares"),
    Retired("convert_table_to_csv", "experiment", "`ck ls experiment --out=json` lists the experiments as JSON"),
    Retired("autotune", "pipeline", _TUNED),
    Retired("autotune", "program", _TUNED),
    Retired("crowdtune", "program", _TUNED),
    Retired("run", "pipeline", _ROUND),
    Retired("pipeline", "program", _ROUND),
    Retired("run", "cmdgen", _ROUND),
    Retired("gen", "cmdgen", _ROUND),
    Retired("run", "bench.mlperf.inference", _ROUND),
    Retired("add", "bench.mlperf.system", _MACHINE),
    Retired("add", "machine", _MACHINE),
    Retired("init", "machine", _MACHINE),
    Retired("show", "machine", _MACHINE),
    Retired("show", "platform", _MACHINE),
    Retired("init_device", "platform", "remote devices are not supported: run `ck` on the device itself"),
    Retired("detect", "platform.dsp", "`ck detect platform.gpu` prints the accelerators that can be used"),
    Retired("detect", "platform.npu", "`ck detect platform.gpu` prints the accelerators that can be used"),
    Retired("detect", "platform.nn", "`ck detect platform.gpu` prints the accelerators that can be used"),
    Retired("set_freq", "platform.cpu", _SAME_MACHINE),
    Retired("set_freq", "platform.gpu", _SAME_MACHINE),
    Retired("set_freq", "platform.gpgpu", _SAME_MACHINE),
    Retired("build", "docker", _NO_CONTAINERS),
    Retired("run", "docker", _NO_CONTAINERS),
    Retired("resolve", "env", "`ck explain package --tags=…` shows what would be used, and why"),
    Retired("deps_summary", "env", "`ck explain program:NAME` lists what a run would use"),
    Retired("envsecute", "env", "`ck virtual env --tags=… --shell_cmd=…` runs a command with the variables set"),
    Retired("reinstall", "package", "`ck install package --tags=… --reinstall`"),
    Retired("setup", "package", "`ck install package --tags=…`"),
    Retired("distribute", "package", "`ck bundle venv:NAME` packs everything for a machine without network"),
    Retired("rebuild_deps", "package", "`ck install package --tags=… --rebuild`"),
    Retired("list_variations", "misc", "`ck search package --tags=…` lists the variations of each package"),
    Retired("setup", "soft", "`ck detect soft:NAME --full_path=…` registers what is on disk"),
    Retired("check", "soft", "`ck detect soft:NAME --full_path=…` registers what is on disk; `ck refresh env` checks it again"),
    Retired("search_tool", "soft", "disks are not searched: `ck detect soft:NAME --full_path=…` registers what is on disk"),
    Retired("import", "repo", "`ck add repo --path=FOLDER` registers a folder, `ck unzip repo --zip=FILE` a packed repository"),
    Retired("create", "repo", "`ck add repo:NAME`"),
    Retired("prepare", "venv", "`ck create venv:NAME --template=mlperf-inference-1.0`"),
    Retired("list_actions", "kernel", "`ck help` lists the modules, `ck help MODULE` the actions of one"),
    Retired("python_version", "", "`ck detect soft:compiler.python` lists the interpreters on this machine"),
    Retired("get_default_repo", "kernel", "`ck where repo:local`"),
    Retired("guide", "", "`ck help`"),
    Retired("wiki", "", "`ck help`"),
)


def retired_action(name: str, module: str) -> Action | None:
    """The action for a retired command; None for other commands."""
    found = next((row for row in RETIRED if (row.action, row.module) == (name, module)), None)
    if found is None:
        return None
    row = found

    def run(request: Request) -> Answer:
        if not row.accepted:
            raise NotFoundError(f"`{row.command}` is not supported", hint=row.answer)
        return Answer({"note": row.answer}, [f"`{row.command}`: {row.answer}"])

    return Action(name, row.answer, row.command, run, more_entries=True, any_options=True)
