package data_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
)

// greedy is a tokenizer with one id a byte and one for each listed text, which
// it prefers, the longest first. Ids of bytes are the bytes; 300 is the
// beginning-of-sequence token.
type greedy struct {
	words []string // word i has id 256+i
	bos   bool
}

const bosID = 300

func (g greedy) AppendIDs(dst []int32, text string, addSpecial bool) []int32 {
	dst, _ = g.AppendOffsets(dst, nil, text, addSpecial)
	return dst
}

func (g greedy) AppendOffsets(ids []int32, offsets [][2]int, text string, addSpecial bool) ([]int32, [][2]int) {
	if g.bos && addSpecial {
		ids, offsets = append(ids, bosID), append(offsets, [2]int{})
	}
	for at := 0; at < len(text); {
		id, n := int32(text[at]), 1
		for i, word := range g.words {
			if len(word) > n && strings.HasPrefix(text[at:], word) {
				id, n = int32(256+i), len(word)
			}
		}
		ids, offsets = append(ids, id), append(offsets, [2]int{at, at + n})
		at += n
	}
	return ids, offsets
}

// text undoes AppendIDs.
func (g greedy) text(ids []int32) string {
	var s strings.Builder
	for _, id := range ids {
		switch {
		case id < 256:
			s.WriteByte(byte(id))
		case id != bosID:
			s.WriteString(g.words[id-256])
		}
	}
	return s.String()
}

// bytesOnly is an Encoder without offsets.
type bytesOnly struct{}

func (bytesOnly) AppendIDs(dst []int32, text string, _ bool) []int32 {
	return greedy{}.AppendIDs(dst, text, false)
}

// chatML renders <role>content<end> turns; assistant turns are generation
// spans, with the end when stop is set.
type chatML struct{ marked, stop bool }

func (c chatML) RenderChat(in data.Conversation) (data.Rendered, error) {
	out := data.Rendered{Marked: c.marked}
	if in.Tools != nil {
		out.Text = fmt.Sprintf("<tools>%s<end>", in.Tools)
	}
	for _, m := range in.Messages {
		if m.Role == "bad" {
			return out, fmt.Errorf("unknown role %q", m.Role)
		}
		out.Text += "<" + m.Role + ">"
		start := len(out.Text)
		out.Text += m.Content
		end := len(out.Text)
		out.Text += "<end>"
		if c.stop {
			end = len(out.Text)
		}
		if c.marked && m.Role == "assistant" {
			out.Spans = append(out.Spans, [2]int{start, end})
		}
	}
	if in.AddGenerationPrompt {
		out.Text += "<assistant>"
	}
	return out, nil
}

// forgetful drops what earlier assistant turns said, as templates that hide
// old thinking do.
type forgetful struct{ chatML }

func (f forgetful) RenderChat(in data.Conversation) (data.Rendered, error) {
	messages := slices.Clone(in.Messages)
	for i := range messages[:max(len(messages)-1, 0)] {
		if messages[i].Role == "assistant" {
			messages[i].Content = "…"
		}
	}
	in.Messages = messages
	return f.chatML.RenderChat(in)
}

// readAll reads rows out of text, named "f.jsonl" in errors.
func readAll(text string, opts data.ReadOptions) ([]data.Row, error) {
	return collect(data.Read(strings.NewReader(text), "f.jsonl", opts))
}

func collect(rows iter.Seq2[data.Row, error]) ([]data.Row, error) {
	return data.Collect[data.Row](data.SourceFunc[data.Row](func() iter.Seq2[data.Row, error] { return rows }))
}

// jsonLines writes items one a line.
func jsonLines[T any](t testing.TB, items ...T) []byte {
	t.Helper()
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	for _, item := range items {
		require.NoError(t, enc.Encode(item))
	}
	return out.Bytes()
}
