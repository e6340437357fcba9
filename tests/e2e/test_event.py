# SPDX-License-Identifier: MIT
"""Events over the wire: who waits when it is set goes on."""
from harness import Client, until
from puppets import again, connect, error, info, puppet, refused, waited  # noqa: F401


def is_set(mpd, name="e"):
    return mpd.rpc("event.is_set", name=name)["set"]


def test_all_who_wait_go_on(mpd, connect):
    clients = [connect() for _ in range(5)]
    waiting = [c.request("event.wait", name="e") for c in clients]
    waited(mpd, "e", 5)
    assert not is_set(mpd)
    assert mpd.rpc("event.set", name="e") == {}
    assert [c.reply(w) for c, w in zip(clients, waiting)] == [{"set": True}] * 5
    assert is_set(mpd)
    assert clients[0].call("event.wait", name="e", timeout=0) == {"set": True}
    assert mpd.rpc("event.clear", name="e") == {}
    assert clients[0].call("event.wait", name="e", timeout=0) == {"set": False}
    assert clients[0].call("event.wait", name="e", timeout=0.02) == {"set": False}


def test_set_for_a_moment(mpd, connect):
    """Set and cleared in one turn of the daemon: those who waited were meant."""
    a, b = connect(), connect()
    waiting = a.request("event.wait", name="e")
    waited(mpd, "e", 1)
    b.send_line("".join(f'{{"id":{n},"method":"event.{verb}","params":{{"name":"e"}}}}\n'
                        for n, verb in enumerate(("set", "clear"), 100)))
    assert a.reply(waiting) == {"set": True}
    assert b.reply(101) == {} and not is_set(mpd)


def test_looks_past_those_who_wait(mpd, connect):
    """In the turn in which it is set nobody is told that it was not."""
    a, b = connect(), connect()
    waiting = a.request("event.wait", name="e")
    waited(mpd, "e", 1)
    b.send_line('{"id":100,"method":"event.set","params":{"name":"e"}}\n'
                '{"id":101,"method":"event.wait","params":{"name":"e","timeout":0}}\n')
    assert b.reply(101) == {"set": True} and a.reply(waiting) == {"set": True}


def test_errors(mpd, connect):
    c = connect()
    assert refused(c, "event.is_set", name="e").symbol == "NOT_FOUND"
    for verb in ("set", "clear", "wait"):
        assert refused(c, "event." + verb, name="e", no_create=True).symbol == "NOT_FOUND"
    c.call("event.create", name="e")
    assert refused(c, "event.create", name="e").symbol == "EXISTS"
    assert refused(c, "event.create", name="e", ephemeral=True, exist_ok=True).symbol == "SHAPE_MISMATCH"
    assert refused(c, "semaphore.value", name="e").symbol == "WRONG_KIND"
    waiting = c.request("event.wait", name="e")
    waited(mpd, "e", 1)
    c.call("cancel", id=waiting)
    assert error(c, waiting).symbol == "CANCELLED"
    waiting = c.request("event.wait", name="e")
    waited(mpd, "e", 1)
    mpd.rpc("object.delete", name="e")
    assert error(c, waiting).symbol == "DELETED"


def test_ephemeral(mpd, puppet, connect):
    a, b, c = puppet(), puppet(), connect()
    c.call("event.create", name="e", ephemeral=True)
    a.call("event.set", name="e")
    b.call("event.set", name="e")
    a.kill()
    until(lambda: info(mpd, "e")["holders"] == 1)
    assert is_set(mpd)
    b.kill()
    until(lambda: not is_set(mpd))
    assert info(mpd, "e")["holders"] == 0
    c.call("event.set", name="e")
    c.call("event.clear", name="e")
    assert info(mpd, "e")["holders"] == 0


def test_killed_engine(mpd, connect):
    a = Client(mpd)
    a.call("event.set", name="e")
    a.call("event.create", name="lives", ephemeral=True)
    a.call("event.set", name="lives")
    connect().call("event.create", name="goes", ephemeral=True)
    connect().call("event.set", name="goes")
    waiting = a.post("event.wait", name="other")
    waited(mpd, "other", 1)
    again(mpd)
    assert is_set(mpd) and is_set(mpd, "lives") and not is_set(mpd, "goes")
    mpd.rpc("event.set", name="other")
    assert a.wait(waiting) == {"set": True}
    a.close()
