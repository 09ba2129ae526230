package jinja_test

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data/chat/jinja"
	"github.com/posttrain/posttrain/internal/oracle"
)

// fixture is templates.json.gz of oracle/chat.
type fixture struct {
	Cases []struct {
		Name string          `json:"n"`
		Vars json.RawMessage `json:"ctx"`
	} `json:"cases"`
	Templates map[string]string `json:"templates"`
	Gold      map[string][]struct {
		OK  *string `json:"ok"`
		Err string  `json:"err"`
	} `json:"gold"`
}

// clock is the day on which the fixtures were made.
func clock() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

func readFixture(t testing.TB, root string) (f fixture) {
	t.Helper()
	oracle.ReadJSON(t, filepath.Join(root, "templates.json.gz"), &f)
	return f
}

// variables are a case's variables and the special tokens of the fixtures.
func variables(t testing.TB, raw []byte) map[string]jinja.Value {
	t.Helper()
	vars := map[string]jinja.Value{
		"bos_token": jinja.String("<s>"), "eos_token": jinja.String("</s>"),
		"unk_token": jinja.String("<unk>"), "pad_token": jinja.String("<pad>"),
	}
	v, err := jinja.FromJSON(raw)
	require.NoError(t, err)
	require.True(t, jinja.Fields(v, func(key string, v jinja.Value) { vars[key] = v }))
	return vars
}

func sortedNames[T any](m map[string]T) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func TestOracleTemplates(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "chat") {
		f := readFixture(t, root)
		for _, name := range sortedNames(f.Templates) {
			tmpl, err := jinja.Parse(name, f.Templates[name], jinja.Options{Now: clock})
			require.NoError(t, err)
			for i, c := range f.Cases {
				t.Run(name+"/"+c.Name, func(t *testing.T) {
					gold := f.Gold[name][i]
					out, err := tmpl.Render(variables(t, c.Vars))
					tally.Compared(1)
					if gold.OK != nil {
						require.NoError(t, err)
						require.Equal(t, *gold.OK, out.Text)
						return
					}
					requireRaises(t, gold.Err, err)
				})
			}
		}
	}
}

// goldMessage is where the fixtures cut Python's messages, in characters.
const goldMessage = 80

// requireRaises holds an error against "Class: message" of Python.
func requireRaises(t *testing.T, want string, err error) {
	t.Helper()
	require.Error(t, err)
	var fault *jinja.Error
	require.True(t, errors.As(err, &fault))
	kind, message := jinja.ErrValue, fault.Message
	if strings.HasPrefix(want, "TemplateError: ") {
		kind, message = jinja.ErrRaised, "TemplateError: "+message
	}
	require.ErrorIs(t, err, kind)
	class, text, _ := strings.Cut(message, ": ")
	if runes := []rune(text); len(runes) > goldMessage {
		text = string(runes[:goldMessage])
	}
	require.Equal(t, want, class+": "+text)
}

// spanFixture is spans.json.gz of oracle/chat: for each template and case the
// assistant spans in code points, null where there is no rendering.
type spanFixture struct {
	Spans map[string][][][2]int `json:"spans"`
}

func TestOracleSpans(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "chat") {
		f := readFixture(t, root)
		var spans spanFixture
		oracle.ReadJSON(t, filepath.Join(root, "spans.json.gz"), &spans)
		for _, name := range sortedNames(spans.Spans) {
			tmpl, err := jinja.Parse(name, f.Templates[name], jinja.Options{Now: clock})
			require.NoError(t, err)
			require.True(t, tmpl.Marked())
			for i, want := range spans.Spans[name] {
				if want == nil {
					continue
				}
				t.Run(name+"/"+f.Cases[i].Name, func(t *testing.T) {
					out, err := tmpl.Render(variables(t, f.Cases[i].Vars))
					require.NoError(t, err)
					got := [][2]int{}
					for _, s := range out.Spans {
						start := len([]rune(out.Text[:s[0]]))
						got = append(got, [2]int{start, start + len([]rune(out.Text[s[0]:s[1]]))})
					}
					require.Equal(t, want, got)
					tally.Compared(1)
				})
			}
		}
	}
}
