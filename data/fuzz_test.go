package data_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/posttrain/posttrain/data"
)

// tight are limits under which a fuzzer finds the edges.
var tight = data.ReadOptions{MaxRowBytes: 4096, MaxBytes: 1 << 20, MaxColumns: 16, MaxMessages: 16, MaxWindow: 1 << 20}

// checkRead reads raw and holds what comes out against the promises of Open.
func checkRead(t *testing.T, raw []byte) {
	rows := 0
	for row, err := range data.Read(bytes.NewReader(raw), "fuzz", tight) {
		if err != nil {
			require.True(t, strings.HasPrefix(err.Error(), "data: fuzz"), "%v", err)
			require.True(t, utf8.ValidString(err.Error()) || !utf8.Valid(raw), "%q", err)
			return
		}
		rows++
		require.Positive(t, row.At.Line)
		require.NotEqual(t, data.Shape(0), row.Shape)
		for _, text := range []string{row.Text, row.Prompt, row.Completion} {
			require.True(t, utf8.ValidString(text))
		}
		require.Equal(t, row.Shape.Conversational(), len(row.Messages)+len(row.PromptMessages) > 0)
		for _, m := range append(append(row.Messages, row.PromptMessages...), row.CompletionMessages...) {
			require.True(t, json.Valid(m.JSON), "%s", m.JSON)
		}
		require.True(t, row.Tools == nil || json.Valid(row.Tools), "%s", row.Tools)
		_, _, err := data.Prepare(context.Background(), data.Slice[data.Row]{row}, greedy{}, data.PrepareOptions{EOS: "<end>", MaxLength: 64, Renderer: chatML{marked: true}})
		if err != nil {
			require.True(t, strings.HasPrefix(err.Error(), "data: "), "%v", err)
		}
	}
	require.Positive(t, rows, "a file without rows is an error")
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		`{"text":"a"}`, "\xef\xbb\xbf[\r\n{\"text\":\"a\"},{\"text\":\"\\ud83d\\ude00\"}]", "{\"text\":\"\\ud83d\"}", "[{]}]", "[", "",
		`{"messages":[{"role":"user","content":[{"type":"text","text":"x"}]},{"role":"assistant","tool_calls":[]}],"tools":"[{\"name\":\"f\"}]"}`,
		`{"prompt":[{"role":"user","content":"x"}],"completion":[{"role":"assistant","content":"y"}],"chat_template_kwargs":{"a":1}}`,
		`{"prompt":"p","completion":"c"}` + "\n\n" + `{"prompt":"p","completion":"c"}`,
		`{"instruction":"i","input":"","output":"o","history":[]}`, `{"question":"q","answer":"a"}`,
		`{"conversations":[{"from":"human","value":"x"},{"from":"function_call","value":"{\"name\":\"f\",\"arguments\":{}}"}],"system":"s"}`,
		`{"text":"a","text":"b"}`, `{"text":` + strings.Repeat("[", 500),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(checkRead)
}

func FuzzDecompress(f *testing.F) {
	rows := noisyRows(f, 3)
	many := bytes.Repeat(rows, 100) // more takes seconds under the fuzzer, which then calls it hung
	for _, packed := range [][]byte{gzipped(f, rows), zstded(f, rows), gzipped(f, many), zstded(f, many)} {
		f.Add(packed)
		f.Add(packed[:len(packed)/2])
		f.Add(append(bytes.Clone(packed), packed...))
		f.Add(append(bytes.Clone(packed), "trailing"...))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if bytes.HasPrefix(raw, []byte{0x1f, 0x8b}) || bytes.HasPrefix(raw, []byte{0x28, 0xb5, 0x2f, 0xfd}) {
			checkRead(t, raw)
		}
	})
}

// Whatever text goes into a file comes out of it.
func TestReadRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		type row struct {
			Prompt     string         `json:"prompt"`
			Completion string         `json:"completion"`
			Extra      map[string]any `json:"extra,omitempty"`
		}
		want := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) row {
			text := rapid.StringOf(rapid.OneOf(rapid.Rune(), rapid.RuneFrom([]rune("\"\\{}[],\n\r\u2028<>&\x00"))))
			return row{text.Draw(t, "prompt"), text.Draw(t, "completion"), map[string]any{"x": text.Draw(t, "extra")}}
		}), 1, 5).Draw(rt, "rows")
		lines := jsonLines(t, want...)
		array, err := json.MarshalIndent(want, "", "\t")
		require.NoError(rt, err)
		for _, raw := range [][]byte{lines, array, gzipped(t, lines), zstded(t, array)} {
			rows, err := collect(data.Read(bytes.NewReader(raw), "f", data.ReadOptions{}))
			require.NoError(rt, err)
			require.Len(rt, rows, len(want))
			for i, got := range rows {
				require.Equal(rt, want[i].Prompt, got.Prompt)
				require.Equal(rt, want[i].Completion, got.Completion)
			}
		}
	})
}
