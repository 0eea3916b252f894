"""Tickets, sessions and wrong keys, with a clock that the test turns."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import Request

from moiety.access import Allowance, RateLimiter
from moiety.api.entrance import Access, Strikes, address_of, cookie_name, network_of
from moiety.api.limits import FOR_FAILURE
from moiety.api.sessions import IDLE_SECONDS, SESSION_SECONDS, SESSIONS_MAX, TICKET_SECONDS, TICKETS_MAX, Sessions
from moiety.foundation.clock import HandClock
from moiety.foundation.errors import RateLimited, Unauthenticated


def request(client: Any = ("127.0.0.1", 1), server: Any = ("127.0.0.1", 8080)) -> Request:
    return Request({"type": "http", "headers": [], "client": client, "server": server})


def test_a_ticket_works_once_and_for_two_minutes() -> None:
    clock = HandClock()
    sessions = Sessions(clock)
    ticket = sessions.ticket()
    clock.move(TICKET_SECONDS)
    sessions.check(sessions.enter(ticket))
    with pytest.raises(Unauthenticated, match="spent"):
        sessions.enter(ticket)
    late = sessions.ticket()
    clock.move(TICKET_SECONDS + 1)
    with pytest.raises(Unauthenticated, match="too old"):
        sessions.enter(late)


def test_a_session_ends_after_an_hour_without_use() -> None:
    clock = HandClock()
    sessions = Sessions(clock)
    secret = sessions.enter(sessions.ticket())
    for _ in range(3):
        clock.move(IDLE_SECONDS - 1)
        sessions.check(secret)
    clock.move(IDLE_SECONDS)
    with pytest.raises(Unauthenticated, match="ended"):
        sessions.check(secret)


def test_a_session_ends_after_twelve_hours_of_use() -> None:
    clock = HandClock()
    sessions = Sessions(clock)
    secret = sessions.enter(sessions.ticket())
    for _ in range(23):
        clock.move(SESSION_SECONDS / 24)
        sessions.check(secret)
    clock.move(SESSION_SECONDS / 24)
    with pytest.raises(Unauthenticated):
        sessions.check(secret)


def test_only_the_newest_tickets_and_sessions_are_kept() -> None:
    sessions = Sessions(HandClock())
    first, *others = [sessions.ticket() for _ in range(TICKETS_MAX + 1)]
    with pytest.raises(Unauthenticated):
        sessions.enter(first)
    kept = [sessions.enter(others[-1])] + [sessions.enter(sessions.ticket()) for _ in range(SESSIONS_MAX)]
    with pytest.raises(Unauthenticated):
        sessions.check(kept[0])
    sessions.check(kept[-1])


def test_leaving_ends_one_session_only() -> None:
    sessions = Sessions(HandClock())
    mine, other = (sessions.enter(sessions.ticket()) for _ in range(2))
    sessions.leave(mine)
    with pytest.raises(Unauthenticated):
        sessions.check(mine)
    sessions.check(other)


def test_nothing_that_opens_lies_in_memory() -> None:
    sessions = Sessions(HandClock())
    ticket, secret = sessions.ticket(), sessions.enter(sessions.ticket())
    held = repr(vars(sessions))
    assert ticket not in held
    assert secret not in held


def test_wrong_keys_make_an_address_wait_but_not_others() -> None:
    clock = HandClock()
    strikes = Strikes(RateLimiter(clock, {FOR_FAILURE: Allowance(60, 2)}), clock)
    for _ in range(2):
        strikes.wrong("10.0.0.1")
    with pytest.raises(RateLimited):
        strikes.wrong("10.0.0.1")
    with pytest.raises(RateLimited) as caught:
        strikes.check("10.0.0.1", "another token")
    assert caught.value.wait_s >= 1
    strikes.check("10.0.0.2", "another token")
    clock.move(caught.value.wait_s)
    strikes.check("10.0.0.1", "another token")


def test_a_key_that_was_right_lately_is_not_locked_out_by_its_neighbours() -> None:
    clock = HandClock()
    strikes = Strikes(RateLimiter(clock, {FOR_FAILURE: Allowance(0.01, 1)}), clock)
    strikes.right("good")
    strikes.wrong("10.0.0.1")
    with pytest.raises(RateLimited):
        strikes.wrong("10.0.0.1")
    strikes.check("10.0.0.1", "good")
    clock.move(601)
    with pytest.raises(RateLimited):
        strikes.check("10.0.0.1", "good")


@pytest.mark.parametrize(
    ("client", "address", "network"),
    [
        (("10.1.2.3", 5), "10.1.2.3", "10.1.2.0/24"),
        (("::ffff:10.1.2.3", 5), "10.1.2.3", "10.1.2.0/24"),
        (("2001:db8:1:2:3:4:5:6", 5), "2001:db8:1:2::/64", "2001:db8:1::/48"),
        (("2001:db8:1:2:ffff::1", 5), "2001:db8:1:2::/64", "2001:db8:1::/48"),
        (("a socket", 5), "a socket", "a socket"),
        (None, "-", "-"),
    ],
)
def test_addresses_are_counted_as_they_are_handed_out(client: Any, address: str, network: str) -> None:
    assert address_of(request(client)) == address
    assert network_of(request(client)) == network


def test_two_installations_on_one_host_do_not_share_a_cookie() -> None:
    assert cookie_name(request(server=("127.0.0.1", 1))) != cookie_name(request(server=("127.0.0.1", 2)))


def test_a_short_run_token_is_refused_and_hosts_are_tidied() -> None:
    keys: Any = None
    with pytest.raises(ValueError, match="43"):
        Access(keys, "short")
    names = Access(keys, "x" * 43, ["Moiety.Example ", "", "localhost"]).names()
    assert names == {"localhost", "127.0.0.1", "::1", "moiety.example"}
