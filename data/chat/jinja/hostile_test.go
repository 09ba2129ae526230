package jinja

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// hostile are templates that try to hang, crash or fill the memory. All must end
// with the error of a limit or, where Python has one, of the value.
var hostile = []struct {
	name, source string
	want         error
}{
	{"recursive macro", `{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}`, ErrLimit},
	{"recursive macro in an expression", `{% macro f() %}{% set x = f() ~ 1 %}{% endmacro %}{{ f() }}`, ErrLimit},
	{"mutual callers", `{% macro f() %}{% call f() %}{{ caller() }}{% endcall %}{% endmacro %}{{ f() }}`, ErrLimit},
	{"recursive loop", `{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}`, ErrLimit},
	{"self block", `{% block b %}{{ self.b() }}{% endblock %}`, ErrLimit},
	{"nested loops", `{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}`, ErrLimit},
	{"nested loops that write", `{% for i in range(99999) %}{% for j in range(99999) %}abcdefghijklmnopqrstuvwxyz{% endfor %}{% endfor %}`, ErrLimit},
	{"large range", `{{ range(100000000)|list }}`, ErrLimit},
	{"huge range", `{{ range(10**30) }}`, ErrLimit},
	{"doubled text", `{% set ns = namespace(s="ab") %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}`, ErrLimit},
	{"doubled text, kept", `{% set ns = namespace(s="ab" * 8000000, l=[]) %}{% for i in range(9999) %}{% set ns.l = ns.l + [ns.s ~ i] %}{% endfor %}`, ErrLimit},
	{"doubled list", `{% set ns = namespace(l=[1]) %}{% for i in range(99) %}{% set ns.l = ns.l + ns.l %}{% endfor %}`, ErrLimit},
	{"deep list printed", `{% set ns = namespace(l=[1]) %}{% for i in range(99999) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}`, ErrLimit},
	{"deep list as JSON", `{% set ns = namespace(l=[1]) %}{% for i in range(99999) %}{% set ns.l = {"a": ns.l} %}{% endfor %}{{ ns.l|tojson }}`, ErrLimit},
	{"deep lists compared", `{% set ns = namespace(l=[1], m=[1]) %}{% for i in range(99999) %}{% set ns.l = [ns.l] %}{% set ns.m = [ns.m] %}{% endfor %}{{ ns.l == ns.m }}`, ErrLimit},
	{"deep tuple as key", `{% set ns = namespace(l=(1,)) %}{% for i in range(99999) %}{% set ns.l = (ns.l,) %}{% endfor %}{{ {ns.l: 1} }}`, ErrLimit},
	{"wide tuple as key", `{% set ns = namespace(l=(1,)) %}{% for i in range(99) %}{% set ns.l = (ns.l, ns.l) %}{% endfor %}{{ {ns.l: 1} }}`, ErrLimit},
	{"wide tuple printed", `{% set ns = namespace(l=(1,)) %}{% for i in range(99) %}{% set ns.l = (ns.l, ns.l) %}{% endfor %}{{ ns.l }}`, ErrLimit},
	{"cycle", `{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}`, ErrLimit},
	{"generators over generators", `{% set ns = namespace(g=[1]) %}{% for i in range(99999) %}{% set ns.g = ns.g|map("string") %}{% endfor %}{{ ns.g|list }}`, ErrLimit},
	{"repeated text", `{{ "x" * 10**18 }}`, ErrLimit},
	{"repeated text, overflow", `{{ "xxxx" * (2**62) }}`, ErrLimit},
	{"repeated list", `{{ [0] * 10**12 }}`, ErrLimit},
	{"power", `{{ 9**(9**9) }}`, ErrLimit},
	{"power of a big int", `{{ (10**4000)**4000 }}`, ErrLimit},
	{"squares", `{% set ns = namespace(n=3) %}{% for i in range(99) %}{% set ns.n = ns.n * ns.n %}{% endfor %}`, ErrLimit},
	{"printed big ints", `{% set n = 10**4000 %}{% for i in range(99999) %}{{ n }}{% endfor %}`, ErrLimit},
	{"divided big ints", `{% set n = 7**5000 %}{% for i in range(99999) %}{% for j in range(99) %}{% set q = n / (n + 1) %}{% endfor %}{% endfor %}`, ErrLimit},
	{"width in %", `{{ "%1000000000d" % 1 }}`, ErrLimit},
	{"precision in %", `{{ "%.1000000000f" % 1.5 }}`, ErrLimit},
	{"digits in %", `{{ "%.1000000000d" % 1 }}`, ErrLimit},
	{"width in format", `{{ "{:1000000000}".format(1) }}`, ErrLimit},
	{"groups in format", `{{ "{:01000000000,}".format(1) }}`, ErrLimit},
	{"groups in format, allowed width", `{% for i in range(9999) %}{{ "{:01000000,}".format(1)|length }}{% endfor %}`, ErrLimit},
	{"center", `{{ "x"|center(10**12) }}`, ErrLimit},
	{"ljust", `{{ "x".ljust(10**18) }}`, ErrLimit},
	{"zfill", `{{ "x".zfill(10**18) }}`, ErrLimit},
	{"tabs", `{{ ("\t" * 1000).expandtabs(10**17) }}`, ErrLimit},
	{"indent", `{{ ("x\n" * 1000)|indent(10**12) }}`, ErrLimit},
	{"indent of JSON", `{{ [1]|tojson(indent=10**12) }}`, ErrLimit},
	{"batch", `{{ [1]|batch(10**12, 0)|list }}`, ErrLimit},
	{"slice", `{{ [1]|slice(10**12)|list }}`, ErrLimit},
	{"replace", `{{ ("a" * 9000000)|replace("a", "b" * 9000000) }}`, ErrLimit},
	{"join", `{{ (["x" * 9000] * 9000)|join("y" * 9000) }}`, ErrLimit},
	{"split", `{{ ("a" * 9000000).split("a")|length }}{{ ("a" * 9000000).split("a")|length }}`, ErrLimit},
	{"split at white space", `{{ ("a " * 8000000).split()|length }}{{ ("a " * 8000000).split()|length }}`, ErrLimit},
	{"characters", `{% set s = "é" * 1000000 %}{% for i in range(99999) %}{{ s[i] }}{% endfor %}`, ErrLimit},
	{"wrapped", `{{ ("x" * 1000000)|wordwrap(1)|length }}`, ErrLimit},
	{"long keys", `{% set k = "x" * 9000000 %}{% set d = {k ~ 1: 1} %}{% for i in range(99999) %}{{ d[k ~ 2] }}{% endfor %}`, ErrLimit},
	{"sorted", `{% set l = ["x" * 1000000] * 1000 %}{% for i in range(999) %}{% set q = l|sort %}{% endfor %}`, ErrLimit},
	{"sum of lists", `{{ ([[1]] * 99999)|sum(start=[])|length }}`, ErrLimit},
	{"escaped", `{% set ns = namespace(s="&") %}{% for i in range(99) %}{% set ns.s = ns.s|forceescape %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}`, ErrLimit},
	{"quoted", `{% set ns = namespace(s="\\") %}{% for i in range(99) %}{% set ns.s = [ns.s]|string %}{% endfor %}`, ErrLimit},
	{"urlencoded", `{% set ns = namespace(s="%") %}{% for i in range(99) %}{% set ns.s = (ns.s ~ ns.s)|urlencode %}{% endfor %}`, ErrLimit},
	{"dict", `{{ dict((range(99999)|batch(1)|list)) }}`, ErrValue},
	{"unpacked arguments", `{% macro f() %}{{ varargs|length }}{% endmacro %}{% set l = range(99999)|list %}{% for i in range(99999) %}{{ f(*l) }}{% endfor %}`, ErrLimit},
	{"rounded", `{{ 1|round(-10**9) }}{{ 1.5|round(10**9, "ceil") }}`, ErrLimit},
	{"digits", `{{ ("9" * 5000)|int }}{{ ("9" * 4000)|int * ("9" * 4000)|int }}`, ErrLimit},
	{"class", `{{ "".__class__.__mro__[1].__subclasses__() }}`, ErrValue},
	{"format to class", `{{ "{0.__class__.__mro__}".format(1) }}`, ErrValue},
	{"changed input", `{{ messages.append(1) }}`, ErrValue},
	{"long message", `{{ raise_exception("x" * 9000000) }}`, ErrRaised},
}

// hostileLimits are the defaults with fewer steps, so that the test is quick.
var hostileLimits = Limits{Steps: 4_000_000}

// Marks for one hostile template, on a slow, shared machine.
const (
	hostileTime   = 30 * time.Second
	hostileMemory = 1 << 30 // allocated in all, most of it garbage at once
)

func TestHostileTemplates(t *testing.T) {
	messages := map[string]Value{"messages": List(String("x"))}
	for _, h := range hostile {
		t.Run(h.name, func(t *testing.T) {
			tmpl, err := Parse("hostile", h.source, Options{Limits: hostileLimits})
			require.NoError(t, err)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			_, err = tmpl.Render(messages)
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			require.ErrorIs(t, err, h.want)
			require.False(t, errors.Is(err, errInternal), "%v", err)
			assert.Less(t, took, hostileTime)
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(hostileMemory))
			assert.Less(t, len(err.Error()), 3000)
			t.Logf("%v, %d MiB: %.100v", took, (after.TotalAlloc-before.TotalAlloc)>>20, err)
		})
	}
}

// TestHostileSources are refused, or accepted, without a crash.
func TestHostileSources(t *testing.T) {
	for name, source := range map[string]string{
		"parentheses": strings.Repeat("(", 100_000), "print parentheses": "{{ " + strings.Repeat("(", 100_000),
		"lists": "{{ " + strings.Repeat("[", 100_000), "dicts": "{{ " + strings.Repeat("{1:", 50_000),
		"nots": "{{ " + strings.Repeat("not ", 60_000), "signs": "{{ " + strings.Repeat("-", 100_000) + "1 }}",
		"ifs":     strings.Repeat("{% if 1 %}", 20_000),
		"elifs":   "{% if 1 %}" + strings.Repeat("{% elif 1 %}", 20_000) + "{% endif %}",
		"fors":    strings.Repeat("{% for a in a %}", 15_000),
		"conds":   "{{ " + strings.Repeat("1 if 1 else ", 20_000) + "1 }}",
		"macros":  strings.Repeat("{% macro f() %}", 15_000),
		"raws":    strings.Repeat("{% raw %}", 25_000),
		"targets": "{% set " + strings.Repeat("(", 100_000),
		"calls":   "{{ f" + strings.Repeat("(f", 100_000), "params": "{% macro f(" + strings.Repeat("a,", 100_000),
		"keywords": "{{ f(" + strings.Repeat("a=1,", 50_000), "long": strings.Repeat("x", 1<<20),
		"not UTF-8": "\xff{{ 1 }}", "comment": "{#" + strings.Repeat("{#", 100_000), "string": `{{ "` + strings.Repeat(`\`, 200_000),
	} {
		t.Run(name, func(t *testing.T) {
			tmpl, err := Parse("hostile", source, Options{})
			if err == nil {
				_, err = tmpl.Render(nil)
			}
			require.False(t, errors.Is(err, errInternal), "%v", err)
			if err != nil {
				assert.Less(t, len(err.Error()), 3000)
			}
		})
	}
}

// TestLongChains evaluate in depth though they parse flat.
func TestLongChains(t *testing.T) {
	for name, source := range map[string]string{
		"sum":     "{{ 1" + strings.Repeat("+1", 50_000) + " }}",
		"filters": "{{ 1" + strings.Repeat("|e", 50_000) + " }}",
		"dots":    "{{ a" + strings.Repeat(".a", 50_000) + " }}",
		"ors":     "{{ 0" + strings.Repeat(" or 0", 50_000) + " }}",
		"calls":   "{{ a" + strings.Repeat("()", 50_000) + " }}",
	} {
		t.Run(name, func(t *testing.T) {
			tmpl, err := Parse("chain", source, Options{})
			require.NoError(t, err)
			_, err = tmpl.Render(nil)
			assert.ErrorIs(t, err, ErrLimit)
		})
	}
}

func TestFromJSONRefusesBadInput(t *testing.T) {
	for _, raw := range []string{
		"", " ", "{", "[1", `{"a"}`, `{"a":}`, `{a:1}`, `[1,]`, `{"a":1,}`, "01", "-", "1.", "1e", "+1", ".5", "tru", `"a`, "\"\n\"", `"\x"`, `"\u12"`, "1 2", "\"\xff\"",
		strings.Repeat("[", 100_000), strings.Repeat("9", 10_000),
	} {
		_, err := FromJSON([]byte(raw))
		assert.ErrorContains(t, err, "jinja: JSON", "%.40q", raw)
	}
}
