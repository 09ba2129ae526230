package data_test

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
)

// prepare makes examples of rows.
func prepare(t testing.TB, enc data.Encoder, opts data.PrepareOptions, rows ...data.Row) (*data.Dataset, data.Report, error) {
	t.Helper()
	return data.Prepare(context.Background(), data.Slice[data.Row](rows), enc, opts)
}

func pair(prompt, completion string) data.Row {
	return data.Row{Shape: data.ShapePromptCompletion, Prompt: prompt, Completion: completion, At: data.Place{File: "f", Line: 1}}
}

func text(s string) data.Row { return data.Row{Shape: data.ShapeText, Text: s} }

// conversation makes a row of turns "user: Hi".
func conversation(turns ...string) data.Row {
	row := data.Row{Shape: data.ShapeMessages, At: data.Place{File: "f", Line: 7}}
	for _, turn := range turns {
		role, content, _ := strings.Cut(turn, ": ")
		row.Messages = append(row.Messages, data.NewMessage(role, content))
	}
	return row
}

// targets spells out the target tokens, with | for the others.
func targets(g greedy, e data.Example) string {
	var s strings.Builder
	for i, id := range e.IDs {
		if e.Mask[i] {
			s.WriteString(g.text([]int32{id}))
		} else {
			s.WriteByte('|')
		}
	}
	return s.String()
}

func TestPrepareMasks(t *testing.T) {
	const eos = "<end>"
	split := data.Row{
		Shape:              data.ShapeChatCompletion,
		PromptMessages:     conversation("user: a").Messages,
		CompletionMessages: conversation("assistant: b", "user: c", "assistant: d").Messages,
	}
	words := greedy{words: []string{"<user>", "<assistant>", "<end>"}}
	cases := map[string]struct {
		row    data.Row
		opts   data.PrepareOptions
		render data.Renderer
		text   string
		want   string
		prompt int
	}{
		"text":                       {row: text("abc"), text: "abc<end>", want: "abc<end>"},
		"text with EOS":              {row: text("abc<end>"), text: "abc<end>", want: "abc<end>"},
		"completion":                 {row: pair("ab", "cd"), text: "abcd<end>", want: "||cd<end>", prompt: 2},
		"completion with EOS":        {row: pair("ab", "cd<end>"), text: "abcd<end>", want: "||cd<end>", prompt: 2},
		"EOS in the middle":          {row: pair("ab", "<end>d"), text: "ab<end>d<end>", want: "||<end>d<end>", prompt: 2},
		"no prompt text":             {row: pair("", "cd"), text: "cd<end>", want: "cd<end>"},
		"no completion text":         {row: pair("ab", ""), text: "ab<end>", want: "||<end>", prompt: 2},
		"all tokens of a pair":       {row: pair("ab", "cd"), opts: data.PrepareOptions{Loss: data.LossAll}, text: "abcd<end>", want: "abcd<end>", prompt: 2},
		"messages":                   {row: conversation("user: a", "assistant: b"), render: chatML{}, text: "<user>a<end><assistant>b<end>", want: "<user>a<end><assistant>b<end>"},
		"messages end without EOS":   {row: conversation("user: a", "assistant: b"), render: plain{}, text: "ab", want: "ab"},
		"assistant turns":            {row: conversation("user: a", "assistant: b", "user: c", "assistant: d"), opts: data.PrepareOptions{Loss: data.LossAssistant}, render: chatML{marked: true, stop: true}, text: "<user>a<end><assistant>b<end><user>c<end><assistant>d<end>", want: "||||b<end>||||d<end>"},
		"assistant turns by prefix":  {row: conversation("user: a", "assistant: b", "user: c", "assistant: d"), opts: data.PrepareOptions{Loss: data.LossAssistant, Fallback: data.FallbackPrefix}, render: chatML{}, text: "<user>a<end><assistant>b<end><user>c<end><assistant>d<end>", want: "||||b<end>||||d<end>"},
		"chat completion":            {row: split, render: chatML{}, text: "<user>a<end><assistant>b<end><user>c<end><assistant>d<end>", want: "||||b<end><user>c<end><assistant>d<end>", prompt: 4},
		"assistant in a completion":  {row: split, opts: data.PrepareOptions{Loss: data.LossAssistant}, render: chatML{marked: true}, text: "<user>a<end><assistant>b<end><user>c<end><assistant>d<end>", want: "||||b|||||d|", prompt: 4},
		"all tokens of a completion": {row: split, opts: data.PrepareOptions{Loss: data.LossAll}, render: chatML{}, text: "<user>a<end><assistant>b<end><user>c<end><assistant>d<end>", want: "<user>a<end><assistant>b<end><user>c<end><assistant>d<end>", prompt: 4},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			c.opts.EOS, c.opts.Renderer = eos, c.render
			set, report, err := prepare(t, words, c.opts, c.row)
			require.NoError(t, err)
			require.Equal(t, 1, set.Len())
			e := set.Example(0)
			assert.Equal(t, c.text, words.text(e.IDs))
			assert.Equal(t, c.want, targets(words, e))
			assert.Equal(t, c.prompt, e.Prompt)
			assert.Equal(t, int64(len(e.IDs)), report.Tokens)
			assert.Equal(t, int64(e.Targets()), report.Targets)
			assert.Equal(t, 1, report.Kept)
		})
	}
}

// plain is a template of nothing but the texts.
type plain struct{}

func (plain) RenderChat(in data.Conversation) (out data.Rendered, err error) {
	for _, m := range in.Messages {
		out.Text += m.Content
	}
	return out, nil
}

// T9: where the tokenizer joins the end of the prompt with the completion, the
// boundary is the longest common prefix, so that what is masked spells a prefix
// of the prompt and every later token can be learnt.
func TestPrepareBoundaryInsideAToken(t *testing.T) {
	words := greedy{words: []string{"e:", " 4", ": ", ":  4"}}
	cases := []struct {
		prompt, completion, want string
		merged, at               int
	}{
		{"e:", " 4", "| 4", 0, 1},    // e: + " 4"
		{"a:", " 4", "|: 4", 1, 1},   // a + ": " + 4, but the prompt alone ends in ":"
		{"a: ", " 4", "|:  4", 1, 1}, // a + ":  4"
	}
	for _, c := range cases {
		set, report, err := prepare(t, words, data.PrepareOptions{}, pair(c.prompt, c.completion))
		require.NoError(t, err)
		e := set.Example(0)
		assert.Equal(t, c.prompt+c.completion, words.text(e.IDs))
		assert.Equal(t, c.want, targets(words, e))
		assert.Equal(t, c.at, e.Prompt)
		assert.Equal(t, c.merged, report.Merged)
		assert.True(t, strings.HasPrefix(c.prompt, words.text(e.IDs[:e.Prompt])), "what is masked stands in the prompt")
	}
}

func TestPrepareAssistantTokenAcrossTheEdge(t *testing.T) {
	words := greedy{words: []string{">b", "d<", "<user>", "<end>"}}
	set, _, err := prepare(t, words, data.PrepareOptions{Loss: data.LossAssistant, Renderer: chatML{marked: true}},
		conversation("user: a", "assistant: b", "assistant: cd"))
	require.NoError(t, err)
	e := set.Example(0)
	require.Equal(t, "<user>a<end><assistant>b<end><assistant>cd<end>", words.text(e.IDs))
	require.Equal(t, strings.Repeat("|", 13)+">b"+strings.Repeat("|", 12)+"cd<"+strings.Repeat("|", 4), targets(words, e))
}

func TestPrepareCountsTheFirstTokenOut(t *testing.T) {
	set, report, err := prepare(t, greedy{bos: true}, data.PrepareOptions{}, text("ab"), pair("", "cd"))
	require.NoError(t, err)
	assert.Equal(t, []int32{bosID, 'a', 'b'}, set.Example(0).IDs)
	assert.Equal(t, []bool{true, true, true}, set.Example(0).Mask, "as TRL labels it")
	assert.Equal(t, 1, set.Example(1).Prompt, "the beginning-of-sequence token belongs to the prompt")
	assert.Equal(t, int64(4), report.Targets)
}

// Templates write the beginning-of-sequence token themselves.
func TestPrepareAddsNothingToConversations(t *testing.T) {
	words := greedy{bos: true}
	row := data.Row{Shape: data.ShapeChatCompletion, PromptMessages: conversation("user: a").Messages, CompletionMessages: conversation("assistant: b").Messages}
	for _, loss := range []data.Loss{data.LossDefault, data.LossAssistant} {
		set, report, err := prepare(t, words, data.PrepareOptions{Loss: loss, Renderer: chatML{marked: true}}, conversation("user: a", "assistant: b"), row)
		require.NoError(t, err)
		for i := range set.Len() {
			require.NotContains(t, set.Example(i).IDs, int32(bosID))
		}
		require.Zero(t, report.Merged)
		require.Equal(t, len("<user>a<end><assistant>"), set.Example(1).Prompt)
	}
	set, _, err := prepare(t, bytesOnly{}, data.PrepareOptions{Renderer: chatML{marked: true}}, row)
	require.NoError(t, err, "without offsets")
	require.Equal(t, len("<user>a<end><assistant>"), set.Example(0).Prompt)
}

func TestPrepareTruncates(t *testing.T) {
	words := greedy{}
	rows := []data.Row{pair("abcdef", "xy"), pair("ab", "vwxyz"), text("tttt"), pair("abcd", "xyz")}
	cases := map[string]struct {
		opts   data.PrepareOptions
		texts  []string
		masks  []string
		prompt []int
		report data.Report
	}{
		"keep start": {
			data.PrepareOptions{MaxLength: 5},
			[]string{"abvwx", "tttt", "abcdx"},
			[]string{"||vwx", "tttt", "||||x"},
			[]int{2, 0, 4},
			data.Report{Rows: 4, Kept: 3, Cut: 2, Empty: 1, Tokens: 14, Targets: 7, CutTokens: 4, FirstEmpty: data.Place{File: "f", Line: 1}},
		},
		"keep end": {
			data.PrepareOptions{MaxLength: 5, Truncation: data.KeepEnd},
			[]string{"defxy", "vwxyz", "tttt", "cdxyz"},
			[]string{"|||xy", "vwxyz", "tttt", "||xyz"},
			[]int{3, 0, 0, 2},
			data.Report{Rows: 4, Kept: 4, Cut: 3, Tokens: 19, Targets: 12, CutTokens: 7},
		},
		"drop": {
			data.PrepareOptions{MaxLength: 7, Truncation: data.DropLong},
			[]string{"abvwxyz", "tttt", "abcdxyz"},
			[]string{"||vwxyz", "tttt", "||||xyz"},
			[]int{2, 0, 4},
			data.Report{Rows: 4, Kept: 3, Long: 1, Tokens: 18, Targets: 11, FirstLong: data.Place{File: "f", Line: 1}},
		},
		"no bound": {
			data.PrepareOptions{MaxLength: -1},
			[]string{"abcdefxy", "abvwxyz", "tttt", "abcdxyz"},
			[]string{"||||||xy", "||vwxyz", "tttt", "||||xyz"},
			[]int{6, 2, 0, 4},
			data.Report{Rows: 4, Kept: 4, Tokens: 26, Targets: 13},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			set, report, err := prepare(t, words, c.opts, rows...)
			require.NoError(t, err)
			var texts, masks []string
			var prompts []int
			for i := range set.Len() {
				texts = append(texts, words.text(set.Example(i).IDs))
				masks = append(masks, targets(words, set.Example(i)))
				prompts = append(prompts, set.Example(i).Prompt)
				assert.Len(t, set.Example(i).Roles, set.Length(i))
			}
			assert.Equal(t, c.texts, texts)
			assert.Equal(t, c.masks, masks)
			assert.Equal(t, c.prompt, prompts)
			assert.Equal(t, c.report, report)
		})
	}
}

func TestPrepareDefaultLengthIsTRLs(t *testing.T) {
	set, report, err := prepare(t, greedy{}, data.PrepareOptions{}, text(strings.Repeat("x", 1030)))
	require.NoError(t, err)
	require.Equal(t, 1024, set.Length(0))
	require.Equal(t, "1 of 1 rows kept, 1024 tokens, 1023 of them targets; 1 truncated by 6 tokens", report.String())
}

func TestPrepareWithoutTargets(t *testing.T) {
	_, report, err := prepare(t, greedy{}, data.PrepareOptions{MaxLength: 4}, pair("abcd", "x"), pair("abcde", "x"), text("a"))
	require.ErrorIs(t, err, data.ErrNoTargets)
	require.ErrorContains(t, err, "0 of 3 rows kept, 0 tokens, 0 of them targets; 3 dropped without a target token (first: f:1)")
	require.Equal(t, 3, report.Empty)
	_, _, err = prepare(t, greedy{}, data.PrepareOptions{Loss: data.LossAssistant, Renderer: chatML{marked: true}}, conversation("user: only"))
	require.ErrorIs(t, err, data.ErrNoTargets, "a conversation in which nobody answers")
}

func TestPrepareRefuses(t *testing.T) {
	assistant := data.PrepareOptions{Loss: data.LossAssistant, Renderer: chatML{}}
	prefix := assistant
	prefix.Fallback, prefix.Renderer = data.FallbackPrefix, forgetful{}
	cases := map[string]struct {
		enc  data.Encoder
		opts data.PrepareOptions
		row  data.Row
		want string
	}{
		"no encoder":           {nil, data.PrepareOptions{}, text("a"), "data: Prepare: got no Encoder"},
		"all option faults":    {greedy{}, data.PrepareOptions{MaxLength: 1, Truncation: 9, Loss: 9, Fallback: 9}, text("a"), "data: PrepareOptions.Truncation: got 9, want KeepStart, KeepEnd or DropLong\ndata: PrepareOptions.Loss: got 9, want LossDefault, LossAll, LossCompletion or LossAssistant\ndata: PrepareOptions.Fallback: got 9, want FallbackNone or FallbackPrefix\ndata: PrepareOptions.MaxLength: got 1, want at least 2: one token predicts nothing"},
		"no template":          {greedy{}, data.PrepareOptions{}, conversation("user: a"), "data: f:7: got messages and a model without a chat template, want a chat template (PrepareOptions.Renderer)"},
		"template error":       {greedy{}, data.PrepareOptions{Renderer: chatML{}}, conversation("bad: a"), `data: f:7: got an error of the chat template: unknown role "bad"`},
		"completion of text":   {greedy{}, data.PrepareOptions{Loss: data.LossCompletion}, text("a"), "data: (memory):0: got text, want prompt and completion for LossCompletion"},
		"completion of chat":   {greedy{}, data.PrepareOptions{Loss: data.LossCompletion, Renderer: chatML{}}, conversation("user: a"), "data: f:7: got messages, want prompt and completion for LossCompletion"},
		"assistant of text":    {greedy{}, assistant, text("a"), "want conversations for LossAssistant"},
		"no markers":           {greedy{}, assistant, conversation("user: a", "assistant: b"), "data: f:7: got a chat template without {% generation %} markers, want markers for LossAssistant, or PrepareOptions.Fallback = FallbackPrefix"},
		"no offsets":           {bytesOnly{}, assistant, conversation("user: a"), "data: LossAssistant: got an encoder without offsets (data_test.bytesOnly), want an OffsetEncoder"},
		"history is rewritten": {greedy{}, prefix, conversation("user: a", "assistant: b", "user: c", "assistant: d"), `data: f:7: column "messages[1]": got a chat template that renders this turn differently in its context`},
		"opening differs":      {greedy{}, data.PrepareOptions{Loss: data.LossAssistant, Fallback: data.FallbackPrefix, Renderer: thinking{}}, conversation("user: a", "assistant: b"), `column "messages[1]": got a chat template that renders this turn differently in its context`},
		"broken spans":         {greedy{}, data.PrepareOptions{Loss: data.LossAssistant, Renderer: badSpans{}}, conversation("user: a"), "data: f:7: got generation spans [[0 99]] in 2 bytes of text, want ascending ranges inside the text: broken Renderer"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, _, err := prepare(t, c.enc, c.opts, c.row)
			require.ErrorContains(t, err, c.want)
		})
	}
}

// thinking opens an answer with a mark that it leaves out of finished turns.
type thinking struct{ chatML }

func (r thinking) RenderChat(in data.Conversation) (data.Rendered, error) {
	out, err := r.chatML.RenderChat(in)
	if in.AddGenerationPrompt {
		out.Text += "<think>"
	}
	return out, err
}

type badSpans struct{}

func (badSpans) RenderChat(data.Conversation) (data.Rendered, error) {
	return data.Rendered{Text: "ab", Spans: [][2]int{{0, 99}}, Marked: true}, nil
}

func TestPrepareNoticesUntaughtStops(t *testing.T) {
	row := conversation("user: a", "assistant: b")
	opts := data.PrepareOptions{Loss: data.LossAssistant, EOS: "<end>", Renderer: chatML{marked: true}}
	_, report, err := prepare(t, greedy{}, opts, row, row)
	require.NoError(t, err)
	require.Equal(t, 2, report.Unstopped)
	require.ErrorContains(t, errors.New(report.String()), "2 whose end-of-sequence token is no target (first: f:7)")
	opts.Renderer = chatML{marked: true, stop: true}
	_, report, err = prepare(t, greedy{}, opts, row)
	require.NoError(t, err)
	require.Zero(t, report.Unstopped)
}

func TestPrepareStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, _, err := data.Prepare(ctx, data.Slice[data.Row]{text("ab")}, greedy{}, data.PrepareOptions{})
	require.ErrorIs(t, err, context.Canceled)
	_, _, err = data.Prepare(context.Background(), data.SourceFunc[data.Row](func() iter.Seq2[data.Row, error] {
		return data.Read(strings.NewReader(ok+"x"), "f", data.ReadOptions{})
	}), greedy{}, data.PrepareOptions{})
	require.ErrorContains(t, err, "data: f:2:")
}

func TestReportLogsItsCounts(t *testing.T) {
	_, report, err := prepare(t, greedy{words: []string{"bc"}}, data.PrepareOptions{MaxLength: 6, Truncation: data.DropLong}, pair("ab", "cd"), pair("abcdef", "xy"))
	require.NoError(t, err)
	require.Equal(t, "1 of 2 rows kept, 3 tokens, 2 of them targets; 1 dropped as too long (first: f:1); 1 with tokens across prompt and completion (first: f:1)", report.String())
	var out strings.Builder
	slog.New(slog.NewJSONHandler(&out, nil)).Info("prepared", "data", report)
	require.Contains(t, out.String(), `"data":{"rows":2,"kept":1,"cut":0,"long":1,"empty":0,"tokens":3,"targets":2,"cut_tokens":0,"merged":1,"unstopped":0}`)
}
