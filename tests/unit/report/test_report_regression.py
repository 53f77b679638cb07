"""`ck check performance`: slower or less accurate, beyond noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ck_repo.store.entry import Entry

Make = Callable[..., Entry]
Ck = Callable[..., Any]


def check(ck: Ck, new: str, old: str, *more: str) -> Any:
    return ck("check", "performance", f"experiment:{new}", f"--baseline=experiment:{old}", *more, "--out=json")


def several(experiment: Make, name: str, rates: list[float], **about: Any) -> None:
    for number, rate in enumerate(rates):
        experiment(name=f"{name}-{number}", figures={"samples_per_second": rate}, traced=False, **about)


def test_slower_repetitions_fail(experiment: Make, ck: Ck) -> None:
    several(experiment, "old", [100.0, 101.0, 99.0])
    several(experiment, "new", [90.0, 91.0, 89.0])
    done = check(ck, "new-*", "old-*")
    assert done.code == 10
    assert done.json["ratio"] == pytest.approx(0.9, abs=1e-3)
    assert done.json["from_repetitions"]
    low, high = done.json["interval"]
    assert low < 0.9 < high < 1
    assert "slower" in done.json["error"]


def test_loss_within_noise_passes(experiment: Make, ck: Ck) -> None:
    several(experiment, "old", [100.0, 130.0, 80.0])
    several(experiment, "new", [90.0, 120.0, 70.0])
    done = check(ck, "new-*", "old-*")
    assert done.code == 0
    assert any("within the noise" in text for text in done.json["remarks"])


def test_loss_within_tolerance_passes(experiment: Make, ck: Ck) -> None:
    several(experiment, "old", [100.0, 101.0, 99.0])
    several(experiment, "new", [97.0, 98.0, 96.0])
    assert check(ck, "new-*", "old-*").code == 0
    assert check(ck, "new-*", "old-*", "--tolerance=1%").code == 10


def test_lower_latency_is_faster(experiment: Make, ck: Ck) -> None:
    def timed(name: str, p90: float) -> None:
        experiment(name=name, scenario="singlestream", figures={"latency_ms": {"p90": p90}}, traced=False)

    timed("old", 10.0)
    timed("new", 8.0)
    assert check(ck, "new", "old").json["ratio"] == pytest.approx(1.25)
    assert check(ck, "old", "new").code == 10


def test_single_run_has_noise_of_its_queries(experiment: Make, ck: Ck) -> None:
    experiment(name="old", scenario="singlestream"), experiment(name="new", scenario="singlestream", seed=2)
    found = check(ck, "new", "old").json
    assert found["interval"][0] < found["ratio"] < found["interval"][1]
    assert not found["from_repetitions"]


def test_loss_of_accuracy_fails(experiment: Make, ck: Ck) -> None:
    experiment(name="old"), experiment(name="new", seed=2)
    maps = [float(check(ck, *names).json["accuracy"]) for names in (("new", "old"), ("old", "new"))]
    assert maps[0] == -maps[1] != 0
    worse = ("new", "old") if maps[0] < 0 else ("old", "new")
    done = check(ck, *worse)
    assert done.code == 10
    assert "less accurate" in done.json["error"]
    assert check(ck, *worse, "--map-tolerance=1").code == 0


def test_newly_invalid_run_fails(experiment: Make, ck: Ck) -> None:
    experiment(name="old"), experiment(name="new", valid=False)
    assert "new is INVALID" in check(ck, "new", "old").json["error"]


def test_other_scenarios_are_rejected(experiment: Make, ck: Ck) -> None:
    experiment(name="old"), experiment(name="new", scenario="singlestream")
    assert check(ck, "new", "old").code == 2


@pytest.mark.parametrize("share", ["five", "-1%", "200%", "nan"])
def test_tolerance_is_a_fraction(experiment: Make, ck: Ck, share: str) -> None:
    experiment()
    assert check(ck, "made", "made", f"--tolerance={share}").code == 2
