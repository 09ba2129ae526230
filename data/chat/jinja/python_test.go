package jinja_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data/chat/jinja"
)

// pythonVars are the variables of testdata/python.py.
const pythonVars = `{"n": 7, "f": 2.5, "s": "Hello World", "e": "", "t": true, "no": null, "l": [3, 1, 2], "w": ["b", "A", "c"],
    "u": "Ünï ß ǆ 中文 🙂", "big": 123456789012345678901234567890, "h": "<a href='x'>Tom & Jerry</a>",
    "d": {"b": 1, "a": [1, 2.0, null, true, {"x": "y"}], "C": "é\n\"q\""},
    "rows": [{"name": "bob", "age": 3, "tag": {"k": "x"}}, {"name": "Al", "age": 1, "tag": {"k": "y"}}, {"name": "al", "age": 3}],
    "lines": "one\ntwo\r\n\nthree  ", "words": "  the quick\tbrown  fox \n"}`

func varsOf(t testing.TB, raw string) map[string]jinja.Value {
	t.Helper()
	vars := map[string]jinja.Value{}
	v, err := jinja.FromJSON([]byte(raw))
	require.NoError(t, err)
	require.True(t, jinja.Fields(v, func(key string, v jinja.Value) { vars[key] = v }))
	return vars
}

func renderPython(t testing.TB, source string) (string, error) {
	t.Helper()
	now := func() time.Time { return time.Date(2026, 11, 3, 7, 5, 9, 1234000, time.UTC) }
	tmpl, err := jinja.Parse("test", source, jinja.Options{Now: now})
	if err != nil {
		return "", err
	}
	out, err := tmpl.Render(varsOf(t, pythonVars))
	return out.Text, err
}

// TestPython holds small templates against the texts that Jinja2 made of them
// (testdata/python.py). Where Python raises, this package returns an error.
func TestPython(t *testing.T) {
	var cases []struct {
		Source string  `json:"src"`
		OK     *string `json:"ok"`
		Err    string  `json:"err"`
	}
	raw, err := os.ReadFile(filepath.Join("testdata", "python.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, &cases))
	for _, c := range cases {
		t.Run(c.Source, func(t *testing.T) {
			got, err := renderPython(t, c.Source)
			if c.OK != nil {
				require.NoError(t, err)
				assert.Equal(t, *c.OK, got)
				return
			}
			require.Error(t, err, "Python raises %s", c.Err)
			require.NotContains(t, err.Error(), "internal error")
			kind := jinja.ErrValue
			switch class, _, _ := strings.Cut(c.Err, ":"); class {
			case "TemplateSyntaxError", "TemplateAssertionError", "SyntaxError":
				kind = jinja.ErrTemplate
			case "TemplateError":
				kind = jinja.ErrRaised
			}
			if errors.Is(err, jinja.ErrLimit) && strings.Contains(c.Err, "Range too big") {
				return
			}
			assert.ErrorIs(t, err, kind, "Python raises %s", c.Err)
		})
	}
}
