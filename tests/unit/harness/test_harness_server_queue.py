"""The simulated queue of Server, beside the exact distribution of waiting times."""

from __future__ import annotations

import math

import pytest
from object_detection.layouts import Layout
from object_detection.server_queue import highest_rate


def waits_at_most(limit: float, rate: float, service: float) -> float:
    """The share of queries that wait at most so long, with one session of a constant service time (M/D/1).

    Source: A. K. Erlang, The Theory of Probabilities and Telephone Conversations, 1909.
    """
    terms = range(int(limit / service) + 1)
    parts = [(rate * (k * service - limit)) ** k / math.factorial(k) * math.exp(-rate * (k * service - limit)) for k in terms]
    return (1 - rate * service) * math.fsum(parts)


@pytest.mark.parametrize("bound", [0.025, 0.05, 0.1])
def test_highest_rate_of_one_session_is_that_of_the_exact_distribution(bound: float) -> None:
    layout = Layout(1, 2, 1)
    found = highest_rate(layout, {layout: 100.0}, bound, 0.99)
    assert 0.985 < waits_at_most(bound - 0.01, found, 0.01) < 0.994


def test_more_sessions_answer_more_queries() -> None:
    one, two = Layout(1, 1, 1), Layout(2, 1, 1)
    rates = {one: 50.0, two: 100.0}
    assert highest_rate(two, rates, 0.06, 0.99) > 2 * highest_rate(one, rates, 0.06, 0.99)


def test_rate_is_near_the_throughput_if_the_bound_is_loose() -> None:
    layout = Layout(2, 1, 1)
    assert 95 < highest_rate(layout, {layout: 100.0}, 2.0, 0.99) <= 100


def test_larger_batches_that_are_not_faster_change_nothing() -> None:
    """A session takes the waiting queries: a query that finds it free is answered as soon as in a layout of single images."""
    single, four = Layout(1, 1, 1), Layout(1, 1, 4)
    rates = {single: 50.0, four: 50.0}
    assert highest_rate(four, rates, 0.05, 0.99) <= highest_rate(single, rates, 0.05, 0.99)


def test_efficient_batches_raise_the_rate() -> None:
    single, four = Layout(1, 1, 1), Layout(1, 1, 4)
    rates = {single: 50.0, four: 150.0}
    assert highest_rate(four, rates, 0.1, 0.99) > 1.5 * highest_rate(single, rates, 0.1, 0.99)


def test_bound_that_no_query_meets_prefers_the_faster_layout() -> None:
    slow, fast = Layout(2, 1, 1), Layout(1, 2, 1)
    rates = {slow: 120.0, fast: 100.0}
    assert highest_rate(slow, rates, 0.005, 0.99) < highest_rate(fast, rates, 0.005, 0.99) < 0
