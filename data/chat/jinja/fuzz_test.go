package jinja

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/posttrain/posttrain/internal/oracle"
)

// fuzzLimits keep single inputs fast.
var fuzzLimits = Limits{Depth: 500, Steps: 200_000, Bytes: 8 << 20, OutputBytes: 1 << 20, RangeItems: 1000}

const fuzzVars = `{"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "Hi <b>é🙂\n"},
	{"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "f", "arguments": {"x": [1, 2.5, null, true]}}}]},
	{"role": "tool", "content": [{"type": "text", "text": "t"}]}], "tools": [{"name": "f"}], "add_generation_prompt": true, "n": 12345678901234567890}`

// seed adds the oracle's templates and some that use what those do not.
func seed(f *testing.F) {
	for _, root := range oracle.Roots(f, "chat") {
		var fixture struct {
			Templates map[string]string `json:"templates"`
		}
		oracle.ReadJSON(f, filepath.Join(root, "templates.json.gz"), &fixture)
		var sources []string
		for _, source := range fixture.Templates {
			sources = append(sources, source)
		}
		slices.Sort(sources)
		for _, source := range sources {
			f.Add(source)
		}
	}
	for _, h := range hostile {
		f.Add(h.source)
	}
	for _, s := range []string{
		`{{ "%5.2f|%-4s|%x"|format(n, "a", 255) }}{{ "{:>8,.1f}{!r}".format(n, "é") }}`,
		`{% for a, b in messages[0]|dictsort if a recursive %}{{ loop.cycle(1,2) }}{{ loop.previtem }}{% else %}x{% endfor %}`,
		`{% call(x) m(1) %}{{ x }}{% endcall %}{% macro m(a, b=a) %}{{ caller(a) }}{{ varargs }}{{ kwargs }}{% endmacro %}`,
		`{% autoescape true %}{{ ("<%s>"|safe) % "<" }}{% endautoescape %}{% filter upper %}{% raw %}{{{% endraw %}{% endfilter %}`,
		`{{ messages|groupby("role")|map(attribute="list")|map("length")|sum }}{{ n ** 3 // 7 % 11 }}{{ "a b c"|wordwrap(2)|indent(3, true) }}`,
	} {
		f.Add(s)
	}
}

// check fails on faults of this package.
func check(t *testing.T, err error) {
	t.Helper()
	var fault *Error
	if err != nil && (errors.Is(err, errInternal) || !errors.As(err, &fault) || fault.Line < 1) {
		t.Fatalf("%v", err)
	}
}

func FuzzParse(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, source string) {
		_, err := Parse("fuzz", source, Options{})
		check(t, err)
		if err != nil && !errors.Is(err, ErrTemplate) && !errors.Is(err, ErrLimit) {
			t.Fatalf("%v", err)
		}
	})
}

func FuzzRender(f *testing.F) {
	seed(f)
	vars := map[string]Value{}
	v, err := FromJSON([]byte(fuzzVars))
	if err != nil {
		f.Fatal(err)
	}
	Fields(v, func(key string, v Value) { vars[key] = v })
	now := func() time.Time { return time.Date(2026, 11, 23, 1, 2, 3, 4, time.UTC) }
	f.Fuzz(func(t *testing.T, source string) {
		tmpl, err := Parse("fuzz", source, Options{Limits: fuzzLimits, Now: now})
		if check(t, err); err != nil {
			return
		}
		out, err := tmpl.Render(vars)
		if check(t, err); err != nil {
			return
		}
		if len(out.Text) > fuzzLimits.OutputBytes || !utf8.ValidString(out.Text) {
			t.Fatalf("got a text of %d bytes, valid %v", len(out.Text), utf8.ValidString(out.Text))
		}
		at := 0
		for _, s := range out.Spans {
			if s[0] < 0 || s[1] < s[0] || s[1] > len(out.Text) || s[1] < at {
				t.Fatalf("got the span %v in %d bytes after %d", s, len(out.Text), at)
			}
			at = s[0]
		}
		again, err := tmpl.Render(vars)
		if err != nil || again.Text != out.Text {
			t.Fatalf("the second rendering differs: %v", err)
		}
	})
}

func FuzzFromJSON(f *testing.F) {
	for _, s := range []string{fuzzVars, `[1, -0, 1e400, NaN, "\ud83d\ude42\udead\u00e9"]`, `{"a":{"a":[{}]}}`, `"`, `{"a":1,"a":2}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, err := FromJSON(raw)
		if err != nil {
			return
		}
		tmpl, err := Parse("fuzz", "{{ v|tojson }}", Options{})
		if err != nil {
			t.Fatal(err)
		}
		out, err := tmpl.Render(map[string]Value{"v": v})
		if err != nil {
			t.Fatal(err)
		}
		back, err := FromJSON([]byte(out.Text))
		if err != nil {
			t.Fatalf("%v in %s", err, out.Text)
		}
		again, err := tmpl.Render(map[string]Value{"v": back})
		if err != nil || again.Text != out.Text {
			t.Fatalf("got %s, then %s (%v)", out.Text, again.Text, err)
		}
	})
}
