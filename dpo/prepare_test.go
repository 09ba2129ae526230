package dpo_test

import (
	"context"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/dpo"
)

// letters is a tokenizer that gives each character its code, and "th" one of its
// own.
type letters struct{}

func (letters) AppendIDs(dst []int32, text string, _ bool) []int32 {
	for i := 0; i < len(text); i++ {
		if strings.HasPrefix(text[i:], "th") {
			dst = append(dst, 200)
			i++
			continue
		}
		dst = append(dst, int32(text[i]))
	}
	return dst
}

func prepare(rows []data.PairRow, o dpo.PrepareOptions) ([]dpo.Pair, dpo.Report, error) {
	for i := range rows {
		rows[i].At.Line = i + 1
	}
	return dpo.Prepare(context.Background(), data.Slice[data.PairRow](rows), letters{}, o)
}

func TestPairsShareTheirPrompt(t *testing.T) {
	pairs, report, err := prepare([]data.PairRow{{Prompt: "ab", Chosen: "c", Rejected: "de"}, {Prompt: "at", Chosen: "he", Rejected: "x"}}, dpo.PrepareOptions{EOS: "."})
	require.NoError(t, err)
	assert.Equal(t, []int32{'a', 'b'}, pairs[0].Prompt)
	assert.Equal(t, []int32{'c', '.'}, pairs[0].Chosen)
	assert.Equal(t, []int32{'d', 'e', '.'}, pairs[0].Rejected)
	// "th" is one token across the border: both answers begin before it.
	assert.Equal(t, []int32{'a'}, pairs[1].Prompt)
	assert.Equal(t, []int32{200, 'e', '.'}, pairs[1].Chosen)
	assert.Equal(t, []int32{'t', 'x', '.'}, pairs[1].Rejected)
	assert.Equal(t, 1, report.Merged)
	assert.Equal(t, int64(2*2+2+3+2+3+3), report.Tokens)
	assert.Equal(t, "2 of 2 comparisons kept, 17 tokens; 1 with tokens across prompt and answer", report.String())
}

func TestBadPairsAreCountedAndDropped(t *testing.T) {
	rows := []data.PairRow{
		{Prompt: "p", Chosen: "good", Rejected: "bad"},
		{Prompt: "p", Chosen: "same", Rejected: "same"},
		{Prompt: "p", Chosen: "", Rejected: "r"},
		{Prompt: "", Chosen: "c", Rejected: "r"},
		{Prompt: "pppppppp", Chosen: "c", Rejected: "r"},
		{Prompt: "p", Chosen: "bad", Rejected: "good"},
		{Prompt: "pppp", Chosen: "longlong", Rejected: "short"},
		{Prompt: "ppppppp", Chosen: "xy", Rejected: "xz"},
	}
	pairs, report, err := prepare(rows, dpo.PrepareOptions{MaxLength: 8})
	require.NoError(t, err)
	require.Len(t, pairs, 3)
	assert.Equal(t, dpo.Report{
		Rows: 8, Kept: 3, Cut: 1, Long: 1, Empty: 2, Equal: 2, Contradicted: 1, Tokens: 9 + 9 + 16,
		FirstLong: data.Place{Line: 5}, FirstEmpty: data.Place{Line: 3}, FirstEqual: data.Place{Line: 2},
	}, report)
	assert.Contains(t, report.String(), "2 dropped with equal answers (first: (memory):2)")
	assert.Len(t, pairs[2].Chosen, 4)
	assert.Equal(t, 7, pairs[2].At.Line)

	_, _, err = prepare(rows[1:3], dpo.PrepareOptions{})
	require.ErrorIs(t, err, dpo.ErrNoPairs)
	require.ErrorContains(t, err, "0 of 2 comparisons kept")
}

func TestConversationsNeedATemplate(t *testing.T) {
	files := fstest.MapFS{"f.json": {Data: []byte(`[{"conversations":[{"from":"human","value":"p"}],"chosen":{"from":"gpt","value":"c"},"rejected":{"from":"gpt","value":"r"}}]`)}}
	rows, err := data.OpenPairsFS(files, "f.json", "", data.ReadOptions{})
	require.NoError(t, err)
	_, _, err = dpo.Prepare(t.Context(), rows, letters{}, dpo.PrepareOptions{})
	require.ErrorContains(t, err, "chat template")
	pairs, _, err := dpo.Prepare(t.Context(), rows, letters{}, dpo.PrepareOptions{Renderer: tagged{}})
	require.NoError(t, err)
	assert.Equal(t, letters{}.AppendIDs(nil, "<user>p<assistant>", false), pairs[0].Prompt)
	assert.Equal(t, []int32{'c'}, pairs[0].Chosen)
}

// tagged writes each turn behind its role.
type tagged struct{}

// RenderChat implements data.Renderer.
func (tagged) RenderChat(c data.Conversation) (data.Rendered, error) {
	var s strings.Builder
	for _, m := range c.Messages {
		s.WriteString("<" + m.Role + ">" + m.Content)
	}
	if c.AddGenerationPrompt {
		s.WriteString("<assistant>")
	}
	return data.Rendered{Text: s.String()}, nil
}
