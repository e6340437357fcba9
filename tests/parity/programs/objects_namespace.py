# SPDX-License-Identifier: MIT
"""Manager().Namespace(): attributes."""
from items import ITEMS
from transcript import elsewhere, say, tell


def put(shared, key, value):
    setattr(shared, key, value)
    return getattr(shared, key)


def program(mp):
    with mp.Manager() as manager:
        shared = manager.Namespace()
        tell("nothing", getattr, shared, "x")
        tell("a default", getattr, shared, "x", 5)
        tell("has", hasattr, shared, "x")
        tell("del of nothing", delattr, shared, "x")
        tell("set", put, shared, "x", 1)
        tell("set again", put, shared, "x", [1, {"two": None}])
        tell("has", hasattr, shared, "x")
        shared.y = "why"
        shared.x.append("lost")
        say("values", shared.x, shared.y)
        shared.x += ["kept"]
        shared.y *= 2
        say("values", shared.x, shared.y)
        del shared.y
        tell("deleted", getattr, shared, "y")
        tell("del again", delattr, shared, "y")
        for item in ITEMS:
            seen = put(shared, "item", item)
            say("item", repr(item)[:60], type(seen).__name__, repr(seen) == repr(item))
        for name in ("\u00e4", "name_2", "CamelCase", "x" * 100, "None"):
            tell(f"name {name[:20]}", put, shared, name, name)
        say("elsewhere", elsewhere(mp, put, shared, "z", {"from": "a child"}), shared.z,
            elsewhere(mp, getattr, shared, "no"), elsewhere(mp, delattr, shared, "x"), hasattr(shared, "x"))
        shared._own = "the proxy's"
        say("an underscore", shared._own, elsewhere(mp, getattr, manager.Namespace(), "_own"))
        named = manager.Namespace(a=1, b=[2])
        say("made of", named.a, named.b, hasattr(named, "c"))
        other = manager.Namespace()
        say("two are two", hasattr(other, "a"))
