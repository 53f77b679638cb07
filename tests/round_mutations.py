"""Mutations of a result in a submission tree, with the verdicts of our checker and of the round's own one."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from round_trees import Target

from ck_repo.rounds.round import Round

ACCEPTED, REJECTED = "accepted", "rejected"
BOTH = (REJECTED, REJECTED)
NEITHER = (ACCEPTED, ACCEPTED)
OURS = (REJECTED, ACCEPTED)  # the round's own checker misses it, or counts it elsewhere


@dataclass(frozen=True)
class Site:
    """The result that is changed.

    Attributes
    ----------
    root
        Of the tree.
    """

    round: Round
    root: Path
    target: Target

    @property
    def run(self) -> Path:
        """The folder of the last performance run, whose figure counts."""
        return self.root / self.target.results / f"performance/run_{self.runs}"

    @property
    def runs(self) -> int:
        return self.round.scenario(self.target.scenario).runs if self.text else 1

    @property
    def text(self) -> bool:
        """Whether logs are of plain text."""
        return self.round.text_log is not None

    @property
    def benchmark(self) -> str:
        """The benchmark of the model's folder."""
        return self.round.benchmark_of_folder(self.target.model) or ""

    @property
    def accuracy(self) -> Path:
        return self.root / self.target.results / "accuracy"

    @property
    def power(self) -> Path:
        return self.root / self.target.results / "performance"

    @property
    def measurements(self) -> Path:
        return self.root / self.target.measurements

    @property
    def system(self) -> Path:
        return self.root / self.target.description

    @property
    def log(self) -> str:
        """The file that has the figures."""
        return "mlperf_log_summary.txt" if self.text else "mlperf_log_detail.txt"


Change = Callable[[Site], object]
Verdicts = tuple[str, str]  # ours, the round's own


@dataclass(frozen=True)
class Mutation:
    """A mutation of a result.

    Attributes
    ----------
    verdicts
        Ours and the round's own; None where it does not apply.
    """

    name: str
    change: Change
    verdicts: Callable[[Site], Verdicts | None]


def _always(verdicts: Verdicts) -> Callable[[Site], Verdicts]:
    return lambda site: verdicts


def _by_division(closed: Verdicts, open_: Verdicts) -> Callable[[Site], Verdicts]:
    return lambda site: closed if site.target.division == "closed" else open_


# edits


def _edit(path: Path, change: Callable[[str], str]) -> None:
    before = path.read_text(encoding="utf-8")
    after = change(before)
    assert after != before, f"nothing to change in {path}"
    path.write_text(after, encoding="utf-8")


def _in_every_run(site: Site, change: Callable[[Path], None]) -> None:
    for number in range(1, site.runs + 1):
        change(site.root / site.target.results / f"performance/run_{number}")


def _key(key: str, value: str | None) -> Change:
    """Set a key of the performance logs to a value as it appears in the file; None removes it."""

    def change(site: Site) -> None:
        _in_every_run(site, lambda folder: _edit(folder / site.log, lambda text: _with_key(site, text, key, value)))

    return change


def _with_key(site: Site, text: str, key: str, value: str | None) -> str:
    if site.round.text_log is None:
        pattern = rf'("key": "{re.escape(key)}", "value": )("[^"]*"|[^,]+)'
        if value is None:
            return re.sub(rf'^:::MLLOG {{"key": "{re.escape(key)}".*\n', "", text, flags=re.M)
        return re.sub(pattern, rf"\g<1>{value}", text)
    label = next(label for label, name in site.round.text_log.summary.items() if name == key)
    replacement = "" if value is None else rf"\g<1>{value.strip(chr(34))}"
    return re.sub(rf"^(\s*{re.escape(label)}\s*:\s*).*" + ("\n" if value is None else ""), replacement, text, flags=re.M)


def _json(path: Callable[[Site], Path], change: Callable[[dict[str, Any]], object]) -> Change:
    def edit(site: Site) -> None:
        content = json.loads(path(site).read_text(encoding="utf-8"))
        change(content)
        path(site).write_text(json.dumps(content, indent=2, ensure_ascii=False), encoding="utf-8")

    return edit


def _system(**values: Any) -> Change:
    return _json(lambda site: site.system, lambda content: content.update(values))


def _without(name: str) -> Change:
    return _json(lambda site: site.system, lambda content: content.pop(name))


def _gone(path: Callable[[Site], Path]) -> Change:
    def remove(site: Site) -> None:
        shutil.rmtree(path(site)) if path(site).is_dir() else path(site).unlink()

    return remove


def _bytes(path: Callable[[Site], Path], change: Callable[[bytes], bytes]) -> Change:
    return lambda site: path(site).write_bytes(change(path(site).read_bytes()))


def _accuracy(change: Callable[[str], str]) -> Change:
    return lambda site: _edit(site.accuracy / "accuracy.txt", change)


def _log_bytes(name: Callable[[Site], str], change: Callable[[bytes], bytes]) -> Change:
    def edit(site: Site) -> None:
        def one(folder: Path) -> None:
            path = folder / name(site)
            path.write_bytes(change(path.read_bytes()))

        _in_every_run(site, one)

    return edit


def _renamed(model: str) -> Change:
    def move(site: Site) -> None:
        for path in (site.root / site.target.results, site.root / site.target.measurements):
            path.parent.rename(path.parent.with_name(model))

    return move


# the catalogue


def catalogue(round_: Round) -> Iterator[Mutation]:
    """Every mutation of the round."""
    yield from _of_systems(round_)
    yield from _of_performance()
    yield from _of_accuracy()
    yield from _of_measurements()
    yield from _of_layout()
    yield from _of_power()


def _of_systems(round_: Round) -> Iterator[Mutation]:
    def rejected(name: str, change: Change) -> Mutation:
        return Mutation(f"system: {name}", change, _always(BOTH))

    def accepted(name: str, change: Change) -> Mutation:
        return Mutation(f"system: {name}", change, _always(NEITHER))

    rules = round_.submission
    yield from (rejected(f"no {key}", _without(key)) for key in (*rules.system_required, *rules.system_keys))
    late = [key for key in ("cooling", "hw_notes", "host_networking") if key not in rules.system_keys]
    yield from (accepted(f"no {key}, which the round does not ask for", _without(key)) for key in late)
    yield rejected("no file", _gone(lambda site: site.system))
    yield rejected("no JSON", _bytes(lambda site: site.system, lambda text: text[:-20]))
    yield rejected("a list", _bytes(lambda site: site.system, lambda text: b"[]"))
    yield rejected("a byte order mark", _bytes(lambda site: site.system, lambda text: b"\xef\xbb\xbf" + text))
    yield rejected("UTF-16", _bytes(lambda site: site.system, lambda text: text.decode().encode("utf-16")))
    yield rejected("Latin-1", _bytes(lambda site: site.system, lambda text: text.rstrip()[:-1] + b', "x": "\xe4"}'))
    for key in (
        "framework",
        "operating_system",
        "accelerator_model_name",
        "host_processor_model_name",
        "system_name",
        "hw_notes",
    ):
        yield rejected(f"a number as {key}", _system(**{key: 5}))
    yield rejected("null as notes", _system(hw_notes=None))
    yield accepted("null as software notes", _system(sw_notes=None))
    for status in ("soon", "available ", ""):
        yield rejected(f"status {status!r}", _system(status=status))
    yield accepted("status in capitals", _system(status="AVAILABLE"))
    for kind in ("Edge", "datacenter, edge", "phone", ""):
        yield rejected(f"system_type {kind!r}", _system(system_type=kind))
    yield rejected(
        "division in capitals", _json(lambda site: site.system, lambda row: row.update(division=row["division"].title()))
    )
    yield rejected("another submitter", _system(submitter="Nobody"))
    yield accepted(
        "submitter in capitals", _json(lambda site: site.system, lambda row: row.update(submitter=row["submitter"].upper()))
    )
    yield accepted("a text as a count", _system(number_of_nodes="a few"))
    yield accepted("an empty memory capacity", _system(host_memory_capacity=""))
    yield accepted("an empty operating system", _system(operating_system=""))
    yield accepted("a key that no rule names", _system(colour="blue"))
    yield Mutation("system: a placeholder", _system(host_memory_capacity="ADD: capacity"), _always(OURS))


def _of_performance() -> Iterator[Mutation]:
    def row(name: str, change: Change, verdicts: Verdicts | Callable[[Site], Verdicts | None]) -> Mutation:
        return Mutation(f"performance: {name}", change, verdicts if callable(verdicts) else _always(verdicts))

    def json_lines(verdicts: Verdicts) -> Callable[[Site], Verdicts | None]:
        return lambda site: None if site.text else verdicts

    def plain_text(verdicts: Verdicts) -> Callable[[Site], Verdicts | None]:
        return lambda site: verdicts if site.text else None

    yield row("INVALID", _key("result_validity", '"INVALID"'), BOTH)
    yield row("no verdict", _key("result_validity", None), BOTH)
    yield row("few samples loaded", _key("effective_performance_sample_count", "63"), BOTH)
    yield row("a text as sample count", _key("effective_performance_sample_count", '"all"'), BOTH)
    yield row("no sample count", _key("effective_performance_sample_count", None), BOTH)
    for seed in ("qsl_rng_seed", "sample_index_rng_seed", "schedule_rng_seed"):
        yield row(f"another {seed}", _key(f"effective_{seed}", "1"), NEITHER)
        yield row(f"no {seed}", _key(f"effective_{seed}", None), lambda site: BOTH if site.text else NEITHER)
    yield row("a short duration", _key("effective_min_duration_ms", "59999"), NEITHER)
    yield row("no duration", _key("effective_min_duration_ms", None), BOTH)
    yield row("a text as duration", _key("effective_min_duration_ms", '"long"'), BOTH)
    yield row("few queries asked for", _key("effective_min_query_count", "1"), _unless_one_query(NEITHER))
    yield row("no query count", _key("effective_min_query_count", None), _query_count)
    yield row("few samples in a query", _key("effective_samples_per_query", "1"), _offline(NEITHER))
    yield row("no samples in a query", _key("effective_samples_per_query", None), _offline(BOTH))
    yield row("no figure", lambda site: _key(_result_key(site), None)(site), BOTH)
    yield row("a text as figure", lambda site: _key(_result_key(site), '"fast"')(site), BOTH)
    yield row(
        "a figure of 0",
        lambda site: _key(_result_key(site), "0")(site),
        lambda site: None if _inferred(site) else (OURS if _power(site) else BOTH),
    )
    yield row("a figure that is no number", lambda site: _key(_result_key(site), "NaN")(site), json_lines(OURS))
    yield row(
        "no rate to infer from",
        _key("result_qps_without_loadgen_overhead", None),
        lambda site: BOTH if _inferred(site) else None,
    )
    yield row("an accuracy run", _test_mode, OURS)
    yield row("a log of another scenario", _key("effective_scenario", '"Nothing"'), BOTH)
    yield row("no scenario", _no_scenario, BOTH)
    yield row("no log", _gone_in_every_run(lambda site: "mlperf_log_detail.txt"), BOTH)
    yield row("an empty log", _log_bytes(lambda site: site.log, lambda text: b""), BOTH)
    yield row(
        "no summary",
        _gone_in_every_run(lambda site: "mlperf_log_summary.txt"),
        lambda site: BOTH if site.text or _power(site) else NEITHER,
    )
    yield row(
        "a log that is no UTF-8", _log_bytes(lambda site: "mlperf_log_detail.txt", lambda text: text + b"\xff\xfe\n"), BOTH
    )
    yield row("a truncated log", _log_bytes(lambda site: site.log, lambda text: text[: len(text) // 2]), BOTH)
    yield row("a broken line", _log_bytes(lambda site: site.log, lambda text: text + b":::MLLOG {\n"), json_lines(BOTH))
    yield row("a line of the system", _log_bytes(lambda site: site.log, lambda text: text + b"hello\n"), NEITHER)
    yield row("CRLF", _log_bytes(lambda site: site.log, lambda text: text.replace(b"\n", b"\r\n")), NEITHER)
    yield row("an event that is an error", _error_event, BOTH)
    yield row("an event without metadata", _log_bytes(lambda site: site.log, _without_metadata), json_lines(BOTH))
    yield row("an event without is_error", _log_bytes(lambda site: site.log, _without_is_error), json_lines(BOTH))
    yield row(
        "an event without key",
        _log_bytes(lambda site: site.log, lambda text: text + b':::MLLOG {"value": 1}\n'),
        json_lines(BOTH),
    )
    yield row("a seed without value", _log_bytes(lambda site: site.log, _seed_without_value), json_lines(BOTH))
    yield row("true as duration", _key("effective_min_duration_ms", "true"), json_lines(NEITHER))
    yield row(
        "a vertical tab before an event",
        _log_bytes(lambda site: site.log, lambda text: text.replace(b":::MLLOG {", b":::MLLOG \x0b{", 1)),
        json_lines(BOTH),
    )
    yield row("a second verdict, INVALID", _second_verdict, NEITHER)
    yield row("a separator of lines in a message", _log_bytes(lambda site: site.log, _separators), json_lines(NEITHER))
    yield row("a byte order mark", _log_bytes(lambda site: site.log, lambda text: b"\xef\xbb\xbf" + text), NEITHER)
    yield row(
        "a file too many",
        lambda site: (site.run / "copy.txt").write_text("x"),
        lambda site: BOTH if _power(site) else NEITHER,
    )
    yield row("a trace", lambda site: (site.run / "mlperf_log_trace.json").write_text("x"), NEITHER)
    yield row(
        "a spl.txt without power",
        lambda site: (site.run / "spl.txt").write_text("x"),
        lambda site: None if _power(site) else NEITHER,
    )
    yield row("no latency", _no_p99, _p99)
    yield row("a long latency", _long_p99, lambda site: None if _p99(site) is None else NEITHER)
    yield row("early stopping not met", _key("early_stopping_met", "false"), _early_stopping(NEITHER))
    yield row("no early stopping", _key("early_stopping_met", None), _early_stopping(NEITHER))
    yield row("a run that is INVALID", _one_invalid, lambda site: NEITHER if site.runs > 1 else None)
    yield row("a run missing", _one_missing, lambda site: NEITHER if site.runs > 1 else None)
    yield row("errors that the round ignores", _ignored_error, plain_text(NEITHER))


def _power(site: Site) -> bool:
    return (site.power / "power").is_dir()


def _inferred(site: Site) -> bool:
    return site.target.logged != site.target.scenario


def _result_key(site: Site) -> str:
    return site.round.scenario(site.target.logged).result_key


def _offline(verdicts: Verdicts) -> Callable[[Site], Verdicts | None]:
    def found(site: Site) -> Verdicts | None:
        return verdicts if site.target.logged == "Offline" else None

    return found


def _unless_one_query(verdicts: Verdicts) -> Callable[[Site], Verdicts | None]:
    return lambda site: None if site.round.scenario(site.target.logged).one_query else verdicts


def _early_stopping(verdicts: Verdicts) -> Callable[[Site], Verdicts | None]:
    return lambda site: verdicts if site.round.scenario(site.target.logged).early_stopping else None


def _query_count(site: Site) -> Verdicts:
    """Early stopping decides on the number of queries, which the checkers do not read then."""
    return NEITHER if site.round.scenario(site.target.logged).early_stopping else BOTH


def _p99_key(site: Site) -> str:
    if site.target.logged == "MultiStream" and not site.text:
        return "result_99.00_percentile_per_query_latency_ns"
    return "result_99.00_percentile_latency_ns"


def _no_p99(site: Site) -> None:
    _key(_p99_key(site), None)(site)


def _long_p99(site: Site) -> None:
    _key(_p99_key(site), "9999999999")(site)


def _p99(site: Site) -> Verdicts | None:
    scenario = site.round.scenario(site.target.logged, site.benchmark)
    if scenario.early_stopping or scenario.key not in ("server", "multistream"):
        return None
    return BOTH


def _test_mode(site: Site) -> None:
    if site.text:
        _in_every_run(site, lambda folder: _edit(folder / site.log, lambda text: text.replace(": Performance", ": Accuracy")))
    else:
        _key("effective_test_mode", '"AccuracyOnly"')(site)


def _no_scenario(site: Site) -> None:
    _key("effective_scenario", None)(site)
    if site.text:
        _in_every_run(
            site, lambda folder: _edit(folder / "mlperf_log_detail.txt", lambda text: re.sub(".*Scenario.*\n", "", text))
        )


def _gone_in_every_run(name: Callable[[Site], str]) -> Change:
    return lambda site: _in_every_run(site, lambda folder: (folder / name(site)).unlink())


def _error_event(site: Site) -> None:
    def change(folder: Path) -> None:
        path = folder / "mlperf_log_detail.txt"
        if site.text:
            path.write_text(path.read_text() + '"pid": 1, "tid": 1, "ts": 1ns : ERROR : no answer\n')
        else:
            path.write_text(path.read_text().replace('"is_error": false', '"is_error": true', 1))

    _in_every_run(site, change)


def _without_metadata(text: bytes) -> bytes:
    return text + b':::MLLOG {"key": "generic_message", "value": "hello"}\n'


def _seed_without_value(text: bytes) -> bytes:
    return re.sub(rb'("key": "effective_qsl_rng_seed", )"value": \d+, ', rb"\1", text)


def _without_is_error(text: bytes) -> bytes:
    return text + b':::MLLOG {"key": "generic_message", "value": "hello", "metadata": {}}\n'


def _separators(text: bytes) -> bytes:
    line = ':::MLLOG {"key": "generic_message", "value": "one\u2028two\x85three", "metadata": {"is_error": false}}\n'
    return text + line.encode()


def _second_verdict(site: Site) -> None:
    line = (
        "Result is : INVALID\n"
        if site.text
        else ':::MLLOG {"key": "result_validity", "value": "INVALID", "metadata": {"is_error": false}}\n'
    )
    _in_every_run(site, lambda folder: _edit(folder / site.log, lambda text: text + line))


def _one_invalid(site: Site) -> None:
    _edit(site.run.with_name("run_2") / site.log, lambda text: text.replace("Result is : VALID", "Result is : INVALID"))


def _one_missing(site: Site) -> None:
    shutil.rmtree(site.run.with_name("run_3"))


def _ignored_error(site: Site) -> None:
    _edit(site.run / "mlperf_log_detail.txt", lambda text: text + '"pid": 1, "tid": 1, "ts": 1ns : ERROR : CAS failed\n')


def _of_accuracy() -> Iterator[Mutation]:
    strict = _by_division(BOTH, OURS)

    def row(name: str, change: Change, verdicts: Callable[[Site], Verdicts | None]) -> Mutation:
        return Mutation(f"accuracy: {name}", change, verdicts)

    def json_lines(verdicts: Verdicts) -> Callable[[Site], Verdicts | None]:
        return lambda site: None if site.text else verdicts

    log = "mlperf_log_accuracy.json"
    yield row("no accuracy.txt", _gone(lambda site: site.accuracy / "accuracy.txt"), _always(BOTH))
    yield row("no mAP", _accuracy(lambda text: re.sub("mAP=.*\n", "", text)), strict)
    yield row("a low mAP", _accuracy(lambda text: re.sub("mAP=.*", "mAP=12.000%", text)), _by_division(BOTH, NEITHER))
    yield row("blanks around the mAP", _accuracy(lambda text: text.replace("mAP=", "mAP = ")), strict)
    yield row("an indented mAP", _accuracy(lambda text: text.replace("mAP=", " mAP=")), strict)
    yield row("mAP without percent", _accuracy(lambda text: text.replace("%", "")), _always(NEITHER))
    yield row("mAP with two points", _accuracy(lambda text: re.sub("mAP=.*", "mAP=22.9.1%", text)), _always(BOTH))
    yield row("a low mAP before a high one", _accuracy(lambda text: "mAP=1.0%\n" + text), _always(NEITHER))
    yield row(
        "a high mAP behind the hash",
        _accuracy(lambda text: f"mAP=1.0%\nhash={'0' * 64}\n" + text),
        _by_division(BOTH, NEITHER),
    )
    yield row("no hash", _accuracy(lambda text: re.sub("hash=.*\n", "", text)), strict)
    yield row("an indented hash", _accuracy(lambda text: text.replace("hash=", "  hash=")), strict)
    yield row("a blank behind the hash", _accuracy(lambda text: text.rstrip("\n") + " \n"), strict)
    yield row(
        "a hash in capitals",
        _accuracy(lambda text: re.sub("hash=(.*)", lambda match: "hash=" + match[1].upper(), text)),
        _always(NEITHER),
    )
    yield row("a hash that is no SHA-256", _accuracy(lambda text: re.sub("hash=.*", "hash=abc", text)), _always(OURS))
    yield row(
        "a byte order mark", _bytes(lambda site: site.accuracy / "accuracy.txt", lambda text: b"\xef\xbb\xbf" + text), strict
    )
    yield row("no UTF-8", _bytes(lambda site: site.accuracy / "accuracy.txt", lambda text: b"\xff\xfe\n" + text), _always(BOTH))
    yield row("no log", _gone(lambda site: site.accuracy / log), strict)
    yield row("a log that is too long", _bytes(lambda site: site.accuracy / log, lambda text: text + b"x" * 9999), strict)
    yield row("no detail log", _gone(lambda site: site.accuracy / "mlperf_log_detail.txt"), strict)
    yield row(
        "an empty detail log", _bytes(lambda site: site.accuracy / "mlperf_log_detail.txt", lambda text: b""), _always(OURS)
    )
    yield row("the log of a performance run", _performance_log, _always(OURS))
    yield row("an event that is an error", _accuracy_error, strict)
    yield row(
        "a broken line",
        _bytes(lambda site: site.accuracy / "mlperf_log_detail.txt", lambda text: text + b":::MLLOG {\n"),
        json_lines(BOTH),
    )
    yield row("no summary", _gone(lambda site: site.accuracy / "mlperf_log_summary.txt"), _always(NEITHER))
    yield row(
        "a summary in UTF-16",
        _bytes(lambda site: site.accuracy / "mlperf_log_summary.txt", lambda text: text.decode().encode("utf-16")),
        _always(NEITHER),
    )
    yield row(
        "a byte order mark before another line",
        _bytes(lambda site: site.accuracy / "accuracy.txt", lambda text: b"\xef\xbb\xbfloading\n" + text),
        _always(NEITHER),
    )
    yield row(
        "an event whose key is an object",
        _bytes(
            lambda site: site.accuracy / "mlperf_log_detail.txt",
            lambda text: text + b':::MLLOG {"key": {}, "value": 1, "metadata": {"is_error": false}}\n',
        ),
        json_lines(BOTH),
    )
    yield row("a file too many", lambda site: (site.accuracy / "copy.txt").write_text("x"), _always(NEITHER))


def _performance_log(site: Site) -> None:
    for name in ("mlperf_log_detail.txt", "mlperf_log_summary.txt"):
        shutil.copy(site.run / name, site.accuracy / name)


def _accuracy_error(site: Site) -> None:
    path = site.accuracy / "mlperf_log_detail.txt"
    if site.text:
        path.write_text(path.read_text() + '"pid": 1, "tid": 1, "ts": 1ns : ERROR : no answer\n')
    else:
        path.write_text(path.read_text().replace('"is_error": false', '"is_error": true', 1))


def _of_measurements() -> Iterator[Mutation]:
    def row(name: str, change: Change, verdicts: Verdicts) -> Mutation:
        return Mutation(f"measurements: {name}", change, _always(verdicts))

    def about(site: Site) -> Path:
        return min(path for path in site.measurements.glob("*.json") if path.name.startswith(site.target.system))

    yield row("no folder", _gone(lambda site: site.measurements), OURS)
    for name in ("mlperf.conf", "user.conf", "README.md"):
        yield row(f"no {name}", _gone(lambda site, name=name: site.measurements / name), NEITHER)  # type: ignore[misc]
    yield row("no JSON", _gone(about), NEITHER)
    yield row("a broken JSON", _bytes(about, lambda text: text[:-5]), BOTH)
    yield row("a byte order mark", _bytes(about, lambda text: b"\xef\xbb\xbf" + text), BOTH)
    yield row("a key missing", _json(about, lambda content: content.pop("retraining")), NEITHER)
    yield row("an empty key", _json(about, lambda content: content.update(retraining="")), NEITHER)
    yield row(
        "a seed in user.conf",
        lambda site: _edit(site.measurements / "user.conf", lambda text: text + "*.*.qsl_rng_seed = 1\n"),
        NEITHER,
    )


def _of_layout() -> Iterator[Mutation]:
    def row(name: str, change: Change, verdicts: Callable[[Site], Verdicts | None]) -> Mutation:
        return Mutation(f"layout: {name}", change, verdicts)

    yield row("a name of no benchmark", _renamed("detectron-9"), _always(BOTH))
    yield row("a name in other letters", _renamed("SSD-MobileNet"), _always(BOTH))
    yield row("a name that ours alone knows", _renamed("ssd-resnet34-1200"), _always(BOTH))
    yield row("a required scenario missing", _other_scenario_gone, _required)
    yield row("a scenario in lower case", _lower_case, lambda site: NEITHER)
    yield row("code missing", _gone(lambda site: site.root / site.target.submission / "code"), _always(NEITHER))
    yield row(
        "a folder that no rule names", lambda site: (site.root / site.target.submission / "notes").mkdir(), _always(NEITHER)
    )


def _required(site: Site) -> Verdicts | None:
    rules = site.round.submission.scenarios[site.target.kind].get(site.benchmark)
    others = [name for name in (rules.required if rules else ()) if name != site.target.scenario]
    if site.target.division == "open":
        return NEITHER
    return OURS if others else None


def _other_scenario_gone(site: Site) -> None:
    for path in sorted((site.root / site.target.results).parent.iterdir()):
        if path.name != site.target.scenario:
            shutil.rmtree(path)


def _lower_case(site: Site) -> None:
    for path in (site.root / site.target.results, site.root / site.target.measurements):
        path.rename(path.with_name(path.name.lower()))


def _of_power() -> Iterator[Mutation]:
    def row(name: str, change: Change, verdicts: Callable[[Site], Verdicts | None] | Verdicts = BOTH) -> Mutation:
        def found(site: Site) -> Verdicts | None:
            if not _power(site):
                return None
            return verdicts(site) if callable(verdicts) else verdicts

        return Mutation(f"power: {name}", change, found)

    def clocks(site: Site) -> Verdicts:
        return NEITHER if site.round.submission.power.utc else BOTH

    for name in ("client.json", "client.log", "ptd_logs.txt", "server.json", "server.log"):
        yield row(f"no {name}", _gone(lambda site, name=name: site.power / "power" / name))  # type: ignore[misc]
    for folder in ("run_1", "ranging"):
        yield row(f"no spl.txt in {folder}", _gone(lambda site, folder=folder: site.power / folder / "spl.txt"))  # type: ignore[misc]
        yield row(f"a file too many in {folder}", _more(f"{folder}/notes.txt"))
        yield row(f"an accuracy log in {folder}", _more(f"{folder}/mlperf_log_accuracy.json"), NEITHER)
    yield row("no summary in ranging", _gone(lambda site: site.power / "ranging/mlperf_log_summary.txt"))
    yield row("a file too many in power", _more("power/notes.txt"))
    yield row("a folder in power", lambda site: (site.power / "power/notes").mkdir(), NEITHER)
    yield row("no ranging", _gone(lambda site: site.power / "ranging"))
    yield row("an empty ranging", _emptied, OURS)
    yield row("a client.json that is no JSON", _bytes(lambda site: site.power / "power/client.json", lambda text: b"{"), clocks)
    yield row(
        "a server.json without timezone", _bytes(lambda site: site.power / "power/server.json", lambda text: b"{}"), clocks
    )
    yield row("a line that is not a sample", _bytes(lambda site: site.power / "run_1/spl.txt", lambda text: text + b"hello\n"))
    yield row(
        "samples in UTF-16", _bytes(lambda site: site.power / "run_1/spl.txt", lambda text: text.decode().encode("utf-16"))
    )
    yield row("an empty line", _bytes(lambda site: site.power / "run_1/spl.txt", lambda text: text + b"\n"))
    yield row("no samples of the run", _bytes(lambda site: site.power / "run_1/spl.txt", lambda text: text.splitlines(True)[0]))
    yield row("no samples", _bytes(lambda site: site.power / "run_1/spl.txt", lambda text: b""))
    yield row("no begin", _key("power_begin", None))
    yield row("a begin that is no time", _key("power_begin", '"now"'))


def _more(name: str) -> Change:
    return lambda site: (site.power / name).write_text("x")


def _emptied(site: Site) -> None:
    for path in (site.power / "ranging").iterdir():
        path.unlink()
