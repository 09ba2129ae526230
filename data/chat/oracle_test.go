package chat_test

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data/chat"
	"github.com/posttrain/posttrain/internal/oracle"
)

// fixture is templates.json.gz of oracle/chat.
type fixture struct {
	Cases []struct {
		Name string                     `json:"n"`
		Vars map[string]json.RawMessage `json:"ctx"`
	} `json:"cases"`
	Templates map[string]string `json:"templates"`
	Gold      map[string][]struct {
		OK *string `json:"ok"`
	} `json:"gold"`
}

var fixtureOptions = chat.Options{
	BOS: "<s>", EOS: "</s>", UNK: "<unk>", PAD: "<pad>",
	Now: func() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) },
}

func readFixture(t testing.TB, root string) (f fixture) {
	t.Helper()
	oracle.ReadJSON(t, filepath.Join(root, "templates.json.gz"), &f)
	return f
}

// input turns a case's variables into an Input.
func input(t testing.TB, vars map[string]json.RawMessage) chat.Input {
	t.Helper()
	var in chat.Input
	args := map[string]json.RawMessage{}
	for name, raw := range vars {
		switch name {
		case "messages":
			require.NoError(t, json.Unmarshal(raw, &in.Messages))
		case "tools":
			in.Tools = raw
		case "add_generation_prompt":
			require.NoError(t, json.Unmarshal(raw, &in.AddGenerationPrompt))
		default:
			args[name] = raw
		}
	}
	if len(args) > 0 {
		raw, err := json.Marshal(args)
		require.NoError(t, err)
		in.Args = raw
	}
	return in
}

func names[T any](m map[string]T) []string {
	var out []string
	for name := range m {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// TestOracleInput renders every case through Input. The fixtures were rendered
// without the variables tools and documents where a case has none; Input passes
// None, as transformers does.
func TestOracleInput(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "chat") {
		f := readFixture(t, root)
		for _, name := range names(f.Templates) {
			tmpl, err := chat.Parse(name, f.Templates[name], fixtureOptions)
			require.NoError(t, err)
			for i, c := range f.Cases {
				t.Run(name+"/"+c.Name, func(t *testing.T) {
					out, err := tmpl.Render(input(t, c.Vars))
					tally.Compared(1)
					if gold := f.Gold[name][i].OK; gold != nil {
						require.NoError(t, err)
						require.Equal(t, *gold, out.Text)
						return
					}
					require.Error(t, err)
					require.True(t, errors.Is(err, chat.ErrRaised) || errors.Is(err, chat.ErrValue), "%v", err)
				})
			}
		}
	}
}

// TestOracleBuiltins holds the built-in templates against real ones of their
// families, on the conversations that both render.
func TestOracleBuiltins(t *testing.T) {
	tally := oracle.NewTally(t)
	noBOS := fixtureOptions
	noBOS.BOS = ""
	for _, pair := range []struct {
		builtin, real string
		options       chat.Options
		skip          string // what texts the real template changes or cannot take
		want          int    // conversations compared
	}{
		{"chatml", "chujiezheng--chatml", noBOS, "uau parts", 11},
		{"gemma", "lenml--gemma3", fixtureOptions, "", 16},
		{"gemma", "huggingface--gemma", fixtureOptions, "parts", 9},
		{"llama3", "huggingface--llama3", fixtureOptions, "parts", 18},
		{"zephyr", "chujiezheng--zephyr", fixtureOptions, "uau parts", 11},
	} {
		for _, root := range oracle.Roots(t, "chat") {
			f := readFixture(t, root)
			own, err := chat.Builtin(pair.builtin, pair.options)
			require.NoError(t, err)
			source := f.Templates[pair.real]
			if strings.HasPrefix(pair.real, "chujiezheng--") {
				// These are published with indents that their users take out first.
				source = strings.NewReplacer("    ", "", "\n", "").Replace(source)
			}
			other, err := chat.Parse(pair.real, source, pair.options)
			require.NoError(t, err)
			n := 0
			for _, c := range f.Cases {
				t.Run(pair.builtin+"/"+pair.real+"/"+c.Name, func(t *testing.T) {
					in := input(t, c.Vars)
					want, errOther := other.Render(in)
					got, errOwn := own.Render(in)
					name, _, _ := strings.Cut(c.Name, "+")
					if errOther != nil || errOwn != nil || strings.Contains(" "+pair.skip+" ", " "+name+" ") {
						return
					}
					assert.Equal(t, want.Text, got.Text)
					n++
					tally.Compared(1)
				})
			}
			assert.Equal(t, pair.want, n, "%s: conversations compared", pair.real)
		}
	}
}

func TestOraclePrefixes(t *testing.T) {
	thinking := []json.RawMessage{
		json.RawMessage(`{"role":"user","content":"Q1"}`),
		json.RawMessage(`{"role":"assistant","content":"A1","reasoning_content":"because"}`),
		json.RawMessage(`{"role":"user","content":"Q2"}`),
		json.RawMessage(`{"role":"assistant","content":"A2","reasoning_content":"since"}`),
	}
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "chat") {
		f := readFixture(t, root)
		for name, turn := range map[string]int{"huggingface--qwen3": 1, "huggingface--qwen2_5": -1, "huggingface--llama3": -1, "huggingface--gemma3": -1} {
			t.Run(name, func(t *testing.T) {
				tmpl, err := chat.Parse(name, f.Templates[name], fixtureOptions)
				require.NoError(t, err)
				err = tmpl.CheckPrefixes(chat.Input{Messages: thinking})
				tally.Compared(1)
				if turn < 0 {
					require.NoError(t, err)
					return
				}
				var fault *chat.PrefixError
				require.ErrorAs(t, err, &fault)
				require.ErrorIs(t, err, chat.ErrUnstable)
				assert.Equal(t, turn, fault.Turn)
				assert.Contains(t, err.Error(), "message 1 (assistant)")
			})
		}
	}
}
