# SPDX-License-Identifier: MIT
"""
What can be put, sent, kept: all that is the same in Python and in JSON, and what is hard to keep. And the slices that
are asked of arrays and lists of five.
"""
DEEP = [{"deep": [1]}]
for _ in range(8):
    DEEP = [{"in": DEEP}, None]

ITEMS = [
    None, True, False, 0, -1, 2**31, -2**31 - 1, 2**53, 2**53 + 1, -2**63, 2**64 - 1, 2**64, 10**40 + 1, -(3**300),
    0.0, -0.0, 0.1, 1e-7, 1.5e300, 5e-324, 1e22, 123456789.123456789, 3.0,
    "", "text", "0", "null", "a\nb\tc\r\b\f", "\"quoted\" \\ / back", "\0 and \x1f and \x7f",
    "\u00e4\u00f6\u00fc \u00df \u20ac \u2028",
    "\U0001f600 \U0010ffff", "\u65e5\u672c\u8a9e", "e\u0301", " spaces  ", "%s %n {} $HOME",
    [], {}, [[]], [None, [True, [1.5, ["x"]]]], {"b": 1, "a": 2, "": 3, "c d": [], "\u00e4": {}},
    {"nested": {"list": [1, 2, {"three": 3}], "none": None}}, DEEP, list(range(100)), "x" * 70000,
]
BYTES = [b"", b"\0", b"\xff\xfe", bytes(range(256)), b"{}\n", b"\n" * 3]
SLICES = [slice(*parts) for parts in (
    (None,), (2,), (1, 4), (1, None), (-2, None), (None, -2), (3, 1), (-100, 100), (10, None), (2, 2),
    (None, None, 2), (1, None, 2), (None, None, -1), (4, 0, -2), (-1, -4, -1), (None, None, 10), (0, 5, 3),
    (100, -100, -1), (None, None, -2), (3, 1, -1), (1, 3, -1), (None, None, 0))]


def name_of(part):
    return ":".join("" if each is None else str(each) for each in (part.start, part.stop, part.step))
