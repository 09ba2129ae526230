package data_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/data/chat"
)

const marked = `{%- if tools %}<tools>{{ tools | length }}{{ eos_token }}{% endif %}` +
	`{%- for m in messages %}<{{ m['role'] }}>{% if m['role'] == 'assistant' %}{% generation %}{{ m['content'] + eos_token }}{% endgeneration %}` +
	`{% else %}{{ m['content'] + eos_token }}{% endif %}{% endfor %}` +
	`{%- if add_generation_prompt %}<assistant>{% if thinking %}<think>{% endif %}{% endif %}`

func TestChatRenderer(t *testing.T) {
	template, err := chat.Parse("marked", marked, chat.Options{EOS: "<end>"})
	require.NoError(t, err)
	renderer := data.ChatRenderer(template)
	in := data.Conversation{
		Messages: []data.Message{data.NewMessage("user", "é"), {Role: "assistant", Content: "b"}},
		Tools:    json.RawMessage(`[{},{}]`), Args: json.RawMessage(`{"thinking":true}`), AddGenerationPrompt: true,
	}
	got, err := renderer.RenderChat(in)
	require.NoError(t, err)
	const want = "<tools>2<end><user>é<end><assistant>b<end><assistant><think>"
	start := len("<tools>2<end><user>é<end><assistant>")
	assert.Equal(t, data.Rendered{Text: want, Spans: [][2]int{{start, start + len("b<end>")}}, Marked: true}, got)

	in.Messages = []data.Message{{JSON: json.RawMessage(`{"role":7}`)}}
	_, err = renderer.RenderChat(in)
	require.ErrorContains(t, err, "chat: ")
}

func TestPrepareWithATemplate(t *testing.T) {
	template, err := chat.Parse("marked", marked, chat.Options{EOS: "<end>"})
	require.NoError(t, err)
	words := greedy{words: []string{"<user>", "<assistant>", "<end>"}}
	opts := data.PrepareOptions{Loss: data.LossAssistant, EOS: "<end>", Renderer: data.ChatRenderer(template)}
	set, report, err := prepare(t, words, opts, conversation("user: a", "assistant: b", "user: c", "assistant: d"))
	require.NoError(t, err)
	require.Equal(t, "||||b<end>||||d<end>", targets(words, set.Example(0)))
	require.Zero(t, report.Unstopped)

	broken, err := chat.Parse("broken", `{{ raise_exception("no system turns") }}`, chat.Options{})
	require.NoError(t, err)
	opts.Renderer = data.ChatRenderer(broken)
	_, _, err = prepare(t, words, opts, conversation("system: a"))
	require.ErrorIs(t, err, chat.ErrRaised)
	require.ErrorContains(t, err, "data: f:7: got an error of the chat template: chat: ")
	require.ErrorContains(t, err, "no system turns")
}
