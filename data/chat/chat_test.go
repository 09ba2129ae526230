package chat_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data/chat"
	"github.com/posttrain/posttrain/data/chat/jinja"
)

// turns makes messages of role and content pairs.
func turns(pairs ...string) []json.RawMessage {
	var out []json.RawMessage
	for i := 0; i < len(pairs); i += 2 {
		raw, _ := json.Marshal(map[string]string{"role": pairs[i], "content": pairs[i+1]})
		out = append(out, raw)
	}
	return out
}

// spanTexts returns what the spans cover.
func spanTexts(out chat.Output) []string {
	var texts []string
	for _, s := range out.Spans {
		texts = append(texts, out.Text[s[0]:s[1]])
	}
	return texts
}

var tokens = chat.Options{BOS: "<s>", EOS: "</s>"}

func TestBuiltinTemplates(t *testing.T) {
	conversation := turns("system", "Be brief.", "user", " Hi\n", "assistant", " Hello. ", "user", "2+2?", "assistant", "4")
	for _, c := range []struct {
		name, text, prompt string
		spans              []string
	}{
		{
			"chatml",
			"<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n Hi\n<|im_end|>\n<|im_start|>assistant\n Hello. <|im_end|>\n" +
				"<|im_start|>user\n2+2?<|im_end|>\n<|im_start|>assistant\n4<|im_end|>\n",
			"<|im_start|>assistant\n",
			[]string{" Hello. <|im_end|>", "4<|im_end|>"},
		},
		{
			"gemma",
			"<s><start_of_turn>user\nBe brief.\n\nHi<end_of_turn>\n<start_of_turn>model\nHello.<end_of_turn>\n" +
				"<start_of_turn>user\n2+2?<end_of_turn>\n<start_of_turn>model\n4<end_of_turn>\n",
			"<start_of_turn>model\n",
			[]string{"Hello.<end_of_turn>", "4<end_of_turn>"},
		},
		{
			"llama3",
			"<s><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>" +
				"<|start_header_id|>assistant<|end_header_id|>\n\nHello.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n2+2?<|eot_id|>" +
				"<|start_header_id|>assistant<|end_header_id|>\n\n4<|eot_id|>",
			"<|start_header_id|>assistant<|end_header_id|>\n\n",
			[]string{"Hello.<|eot_id|>", "4<|eot_id|>"},
		},
		{
			"zephyr",
			"<|system|>\nBe brief.</s>\n<|user|>\n Hi\n</s>\n<|assistant|>\n Hello. </s>\n<|user|>\n2+2?</s>\n<|assistant|>\n4</s>\n",
			"<|assistant|>\n",
			[]string{" Hello. </s>", "4</s>"},
		},
		{
			"plain",
			"<s>Be brief.\n\nUser:  Hi\n\nAssistant:  Hello. </s>\nUser: 2+2?\nAssistant: 4</s>\n",
			"Assistant:",
			[]string{"  Hello. </s>", " 4</s>"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			tmpl, err := chat.Builtin(c.name, tokens)
			require.NoError(t, err)
			require.True(t, tmpl.Marked())
			out, err := tmpl.Render(chat.Input{Messages: conversation})
			require.NoError(t, err)
			assert.Equal(t, c.text, out.Text)
			assert.Equal(t, c.spans, spanTexts(out))
			asked, err := tmpl.Render(chat.Input{Messages: conversation, AddGenerationPrompt: true})
			require.NoError(t, err)
			assert.Equal(t, c.text+c.prompt, asked.Text)
			assert.NoError(t, tmpl.CheckPrefixes(chat.Input{Messages: conversation}))
		})
	}
}

func TestBuiltinsTakePartsAndNull(t *testing.T) {
	messages := []json.RawMessage{
		json.RawMessage(`{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}`),
		json.RawMessage(`{"role":"assistant","content":null}`),
	}
	for _, name := range chat.Builtins() {
		tmpl, err := chat.Builtin(name, tokens)
		require.NoError(t, err)
		out, err := tmpl.Render(chat.Input{Messages: messages})
		require.NoError(t, err, name)
		assert.Contains(t, out.Text, "ab", name)
		assert.NotContains(t, out.Text, "None", name)
		require.Len(t, out.Spans, 1, name)
	}
}

func TestBuiltinsRefuseWhatTheyCannotSay(t *testing.T) {
	user := turns("user", "x")
	for _, name := range chat.Builtins() {
		tmpl, err := chat.Builtin(name, tokens)
		require.NoError(t, err)
		for what, in := range map[string]chat.Input{
			"tools":      {Messages: user, Tools: json.RawMessage(`[{"type":"function"}]`)},
			"tool calls": {Messages: append(user, json.RawMessage(`{"role":"assistant","content":"","tool_calls":[{"id":"1"}]}`))},
			"an image":   {Messages: []json.RawMessage{json.RawMessage(`{"role":"user","content":[{"type":"image","url":"x"}]}`)}},
		} {
			_, err := tmpl.Render(in)
			assert.ErrorIs(t, err, chat.ErrRaised, "%s with %s", name, what)
		}
	}
	gemma, err := chat.Builtin("gemma", tokens)
	require.NoError(t, err)
	_, err = gemma.Render(chat.Input{Messages: turns("user", "a", "user", "b")})
	assert.ErrorContains(t, err, "must alternate")
	_, err = chat.Builtin("alpaca", tokens)
	assert.ErrorContains(t, err, "chatml gemma llama3 plain zephyr")
}

func TestBuiltinsWithoutSpecialTokens(t *testing.T) {
	plain, err := chat.Builtin("plain", chat.Options{})
	require.NoError(t, err)
	out, err := plain.Render(chat.Input{Messages: turns("user", "a", "assistant", "b")})
	require.NoError(t, err)
	assert.Equal(t, "User: a\nAssistant: b\n", out.Text)
	assert.Equal(t, []string{" b\n"}, spanTexts(out))
}

func TestKeyOrderAndNumbersSurvive(t *testing.T) {
	tmpl, err := chat.Parse("dump", `{{ messages[0] | tojson }} {{ messages[0] }} {{ tools[0].z }} {{ x }}`, chat.Options{})
	require.NoError(t, err)
	out, err := tmpl.Render(chat.Input{
		Messages: []json.RawMessage{json.RawMessage(`{"z":1,"a":2.0,"m":1e16,"é":[null,true,1e-7,-0,12345678901234567890]}`)},
		Tools:    json.RawMessage(`[{"z":"tool"}]`),
		Args:     json.RawMessage(`{"x":"arg"}`),
	})
	require.NoError(t, err)
	assert.Equal(t, `{"z": 1, "a": 2.0, "m": 1e+16, "é": [null, true, 1e-07, 0, 12345678901234567890]} `+
		`{'z': 1, 'a': 2.0, 'm': 1e+16, 'é': [None, True, 1e-07, 0, 12345678901234567890]} tool arg`, out.Text)
}

func TestInputErrorsNameTheirPlace(t *testing.T) {
	tmpl, err := chat.Builtin("chatml", chat.Options{})
	require.NoError(t, err)
	for _, c := range []struct {
		in   chat.Input
		want string
	}{
		{chat.Input{Messages: []json.RawMessage{json.RawMessage(`{"role":"user"`)}}, "message 0"},
		{chat.Input{Messages: []json.RawMessage{json.RawMessage(`"hi"`)}}, "want a JSON object"},
		{chat.Input{Messages: turns("user", "a"), Tools: json.RawMessage(`[`)}, "tools"},
		{chat.Input{Messages: turns("user", "a"), Args: json.RawMessage(`[1]`)}, "args"},
		{chat.Input{Messages: turns("user", "a"), Args: json.RawMessage(`{"messages":[]}`)}, `"messages"`},
	} {
		_, err := tmpl.Render(c.in)
		assert.ErrorContains(t, err, c.want)
	}
}

func TestErrorsAreSentinels(t *testing.T) {
	_, err := chat.Parse("broken.jinja", "a\n{% if %}", chat.Options{})
	require.ErrorIs(t, err, chat.ErrTemplate)
	assert.ErrorContains(t, err, `template "broken.jinja", line 2`)
	for source, want := range map[string]error{
		`{{ raise_exception("no") }}`:                     chat.ErrRaised,
		`{{ undefined_thing.x }}`:                         chat.ErrValue,
		`{% for i in range(99999999) %}{% endfor %}`:      chat.ErrLimit,
		`{{ strftime_now("%Y") }}`:                        chat.ErrValue,
		`{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}`: chat.ErrLimit,
		`{% set ns = namespace(s="ab") %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}`: chat.ErrLimit,
	} {
		tmpl, err := chat.Parse("t", source, chat.Options{})
		require.NoError(t, err)
		_, err = tmpl.Render(chat.Input{})
		assert.ErrorIs(t, err, want, source)
	}
}

func TestClockIsInjected(t *testing.T) {
	now := func() time.Time { return time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC) }
	tmpl, err := chat.Parse("t", `{{ strftime_now("%d %b %Y") }}`, chat.Options{Now: now})
	require.NoError(t, err)
	out, err := tmpl.Render(chat.Input{})
	require.NoError(t, err)
	assert.Equal(t, "23 Nov 2026", out.Text)
}

func TestLimitsReachTheEngine(t *testing.T) {
	tmpl, err := chat.Parse("t", `{{ "x" * 100 }}`, chat.Options{Limits: jinja.Limits{OutputBytes: 99}})
	require.NoError(t, err)
	_, err = tmpl.Render(chat.Input{})
	assert.ErrorIs(t, err, chat.ErrLimit)
	_, err = chat.Parse("t", "", chat.Options{Limits: jinja.Limits{Steps: -1, Depth: -2}})
	assert.ErrorContains(t, err, "Depth")
	assert.ErrorContains(t, err, "Steps")
}

func TestTemplateIsSafeForConcurrentUse(t *testing.T) {
	tmpl, err := chat.Builtin("llama3", tokens)
	require.NoError(t, err)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			word := strings.Repeat("x", i+1)
			for range 50 {
				out, err := tmpl.Render(chat.Input{Messages: turns("user", word, "assistant", word+"!")})
				assert.NoError(t, err)
				assert.Equal(t, []string{word + "!<|eot_id|>"}, spanTexts(out))
			}
		})
	}
	group.Wait()
}
