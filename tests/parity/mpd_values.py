# SPDX-License-Identifier: MIT
"""
The daemon's values, arrays, dicts, lists and namespaces with the names, signatures and exceptions of Python's Value,
Array and Manager.
"""
from mpd_wire import Named, RLock


class ValueLock(RLock):
    """The rlock that every value has, and every array: by the same verbs."""

    kind, verbs = "value", ("lock", "unlock")

    def __init__(self, name):
        self.name = name


class Typed(Named):
    """A ctype, as JSON and back: characters are strings, what is a float in C is one here."""

    def __init__(self, code, **shape):
        self._code = code
        super().__init__({"PARAMS": TypeError, "RANGE": ValueError}, type=code, wrap=True, **shape)
        self._lock = ValueLock(self.name)
        self.acquire, self.release = self._lock.acquire, self._lock.release

    def __enter__(self):
        return self.acquire()

    def __exit__(self, *_):
        self.release()

    def get_lock(self):
        return self._lock

    @staticmethod
    def into(value):
        """Python's True is a 1, and its bytes are characters."""
        if isinstance(value, bytes):
            return value.decode("latin-1")
        return int(value) if isinstance(value, bool) else value

    def back(self, value):
        if self._code in "fd":
            return float(value)
        return value.encode("latin-1") if self._code == "c" else value

    def all_back(self, values):
        """What Python makes of many: a string of characters, else a list."""
        values = [self.back(value) for value in values]
        return {"u": "", "c": b""}[self._code].join(values) if self._code in "uc" else values


class Value(Typed):
    kind = "value"

    def __init__(self, code, *value):
        super().__init__(code, **{"value": self.into(each) for each in value})

    @property
    def value(self):
        return self.back(self.call("get")["value"])

    @value.setter
    def value(self, value):
        self.call("set", {"PARAMS": TypeError}, value=self.into(value))


def where(i):
    """An index or a slice, as the wire has it."""
    if isinstance(i, slice):
        return ":".join("" if part is None else str(part) for part in (i.start, i.stop, i.step))
    return i


def refusals(i):
    """What is wrong with an index or a slice, or with what is to go there."""
    return {"RANGE": ValueError if isinstance(i, slice) else IndexError, "PARAMS": TypeError}


class Array(Typed):
    kind = "array"

    def __init__(self, code, size_or_values):
        if isinstance(size_or_values, int):
            super().__init__(code, size=size_or_values)
        else:
            super().__init__(code, values=self.all_into(size_or_values))

    def all_into(self, values):
        if isinstance(values, bytes):
            return list(values.decode("latin-1"))
        return [self.into(value) for value in values]

    def __len__(self):
        return self.call("len")["len"]

    def __getitem__(self, i):
        seen = self.call("get", refusals(i), i=where(i))
        return self.all_back(seen["values"]) if isinstance(i, slice) else self.back(seen["value"])

    def __setitem__(self, i, value):
        value = self.all_into(value) if isinstance(i, slice) else self.into(value)
        self.call("set", refusals(i), i=where(i), value=value)


# --- the manager's --------------------------------------------------------------------------------------------------

class DictProxy(Named):
    kind = "dict"
    missing = {"RANGE": KeyError}

    def __init__(self, *args, **kwargs):
        super().__init__(items=dict(*args, **kwargs))

    def __getitem__(self, key):
        return self.call("get", self.missing, key=key)["value"]

    def __setitem__(self, key, value):
        self.call("set", key=key, value=value)

    def __delitem__(self, key):
        self.call("del", self.missing, key=key)

    def __contains__(self, key):
        return self.call("contains", key=key)["contains"]

    def __len__(self):
        return self.call("len")["len"]

    def __iter__(self):
        return iter(self.keys())

    def __str__(self):
        return str(self.copy())

    def get(self, key, default=None):
        return self.call("get", key=key, default_value=default)["value"]

    def pop(self, key, *default):
        return self.call("pop", self.missing, key=key, **{"default_value": each for each in default})["value"]

    def popitem(self):
        seen = self.call("popitem", self.missing)
        return seen["key"], seen["value"]

    def setdefault(self, key, default=None):
        return self.call("setdefault", key=key, value=default)["value"]

    def update(self, *args, **kwargs):
        self.call("update", items=dict(*args, **kwargs))

    def keys(self):
        return self.call("keys")["keys"]

    def values(self):
        return self.call("values")["values"]

    def items(self):
        return [(key, value) for key, value in self.call("items")["items"]]

    def copy(self):
        return self.call("copy")["items"]

    def clear(self):
        self.call("clear")


class ListProxy(Named):
    kind = "list"

    def __init__(self, values=()):
        super().__init__(values=list(values))

    def __getitem__(self, i):
        return self.call("get", refusals(i), i=where(i))["values" if isinstance(i, slice) else "value"]

    def __setitem__(self, i, value):
        self.call("set", refusals(i), i=where(i), value=list(value) if isinstance(i, slice) else value)

    def __delitem__(self, i):
        self.call("del", refusals(i), i=where(i))

    def __contains__(self, value):
        return self.call("contains", value=value)["contains"]

    def __len__(self):
        return self.call("len")["len"]

    def __str__(self):
        return str(self[:])

    def __add__(self, more):
        return self[:] + more

    def __mul__(self, n):
        return self[:] * n

    __rmul__ = __mul__

    def __iadd__(self, more):
        self.extend(more)
        return self

    def __imul__(self, n):
        self.call("repeat", n=n)
        return self

    def append(self, value):
        self.call("append", value=value)

    def extend(self, values):
        self.call("extend", values=list(values))

    def insert(self, i, value):
        self.call("insert", i=i, value=value)

    def pop(self, *i):
        return self.call("pop", {"RANGE": IndexError}, **{"i": each for each in i})["value"]

    def remove(self, value):
        self.call("remove", {"RANGE": ValueError}, value=value)

    def index(self, value, *bounds):
        return self.call("index", {"RANGE": ValueError}, value=value, **dict(zip(("start", "stop"), bounds)))["index"]

    def count(self, value):
        return self.call("count", value=value)["count"]

    def reverse(self):
        self.call("reverse")

    def sort(self, reverse=False):
        self.call("sort", {"PARAMS": TypeError}, reverse=reverse)


class Attributes(Named):
    kind = "namespace"
    missing = {"RANGE": AttributeError}


class NamespaceProxy:
    """Attributes that begin with an underscore are the proxy's own, as Python's are."""

    def __init__(self, **items):
        self._object = Attributes(items=items)

    def __getattr__(self, key):
        if key.startswith("_"):
            raise AttributeError(key)
        return self._object.call("get", Attributes.missing, key=key)["value"]

    def __setattr__(self, key, value):
        if key.startswith("_"):
            object.__setattr__(self, key, value)
        else:
            self._object.call("set", key=key, value=value)

    def __delattr__(self, key):
        if key.startswith("_"):
            object.__delattr__(self, key)
        else:
            self._object.call("del", Attributes.missing, key=key)


class Manager:
    dict, list, Namespace = DictProxy, ListProxy, NamespaceProxy

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shutdown()

    def shutdown(self):
        """What it made stays: the manager is the daemon."""
