"""Texts that Jinja2 makes of small templates, set up as transformers does: python.json.

Usage: python python.py > python.json   (Jinja2 3.1.6, markupsafe 2.1 or later)
"""
import copy, datetime, json, sys

import jinja2, jinja2.ext, jinja2.sandbox


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_text"), [], [], body).set_lineno(line)

    def _text(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def strftime_now(format):
    return datetime.datetime(2026, 11, 3, 7, 5, 9, 1234).strftime(format)


env = jinja2.sandbox.ImmutableSandboxedEnvironment(
    trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
)
env.filters["tojson"] = tojson
env.globals["raise_exception"] = raise_exception
env.globals["strftime_now"] = strftime_now

VARS = json.loads(
    """{"n": 7, "f": 2.5, "s": "Hello World", "e": "", "t": true, "no": null, "l": [3, 1, 2], "w": ["b", "A", "c"],
    "u": "Ünï ß ǆ 中文 🙂", "big": 123456789012345678901234567890, "h": "<a href='x'>Tom & Jerry</a>",
    "d": {"b": 1, "a": [1, 2.0, null, true, {"x": "y"}], "C": "é\\n\\"q\\""},
    "rows": [{"name": "bob", "age": 3, "tag": {"k": "x"}}, {"name": "Al", "age": 1, "tag": {"k": "y"}}, {"name": "al", "age": 3}],
    "lines": "one\\ntwo\\r\\n\\nthree  ", "words": "  the quick\\tbrown  fox \\n"}"""
)


def render(source):
    try:
        return {"ok": env.from_string(source).render(**copy.deepcopy(VARS))}
    except Exception as fault:
        return {"err": f"{type(fault).__name__}: {fault}"}


if __name__ == "__main__":
    sources = [line for line in open("python.txt", encoding="utf-8", newline="").read().split("\n---\n") if line]
    json.dump([{"src": s, **render(s)} for s in sources], sys.stdout, ensure_ascii=False, indent=0)
