import pytest

from photochrom.imaging.sandbox import pool


class FakeHelper:
    """A helper without a process."""

    count = 0

    def __init__(self):
        FakeHelper.count += 1
        self.pid = FakeHelper.count
        self.is_alive, self.retired = True, False

    def close(self):
        self.is_alive = False

    def close_pipes(self):
        self.pid = 0


@pytest.fixture
def helpers(monkeypatch) -> pool.Pool:
    monkeypatch.setattr(FakeHelper, "count", 0)
    monkeypatch.setattr(pool, "Helper", FakeHelper)
    return pool.Pool()


def lent(helpers: pool.Pool, fresh: bool = False) -> int:
    with helpers.lend(fresh) as helper:
        return helper.pid


def test_lend_reuses_an_idle_helper(helpers):
    assert [lent(helpers) for _ in range(3)] == [1, 1, 1]


def test_lend_starts_a_fresh_helper(helpers):
    assert [lent(helpers), lent(helpers, fresh=True)] == [1, 2]
    assert helpers.pids() == [1, 2]


@pytest.mark.parametrize(("attribute", "value"), [("is_alive", False), ("retired", True)])
def test_lend_drops_dead_and_retired_helpers(helpers, attribute, value):
    with helpers.lend(False) as helper:
        setattr(helper, attribute, value)
    assert helpers.pids() == [] and not helper.is_alive
    assert lent(helpers) == 2


def test_lend_replaces_helper_that_died_while_idle(helpers):
    with helpers.lend(False) as helper:
        pass
    helper.is_alive = False
    assert lent(helpers) == 2
    assert helpers.pids() == [2]


def test_lend_closes_a_helper_on_interrupt(helpers):
    with pytest.raises(KeyboardInterrupt), helpers.lend(False) as helper:
        raise KeyboardInterrupt
    assert not helper.is_alive and helpers.pids() == []


def test_close_ends_only_idle_helpers(helpers):
    lent(helpers)
    with helpers.lend(False) as busy:
        lent_too = helpers._take(fresh=False)
        helpers._put(lent_too)
        helpers.close()
        assert busy.is_alive and not lent_too.is_alive
    assert helpers.pids() == [busy.pid]
