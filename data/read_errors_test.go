package data_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
)

// ok is a good first row for files whose second row is bad.
const ok = `{"text":"fine"}` + "\n"

func TestReadErrorsNameThePlace(t *testing.T) {
	cases := map[string]struct{ text, want string }{
		"empty file":            {"", "f.jsonl:1: got no rows, want at least one JSON object"},
		"only a mark":           {"\xef\xbb\xbf", "f.jsonl:1: got no rows, want at least one JSON object"},
		"blank file":            {"\n\r\n  ", "f.jsonl:1: got no rows, want at least one JSON object"},
		"empty array":           {"[ ]", "f.jsonl:1: got no rows, want at least one JSON object"},
		"not JSON":              {ok + "hello", "f.jsonl:2: got bad JSON at byte 1: invalid character 'h' looking for beginning of value, want one JSON object a row"},
		"number":                {ok + "17", "f.jsonl:2: got a number, want one JSON object a row"},
		"two objects":           {ok + `{"text":"a"} {"text":"b"}`, "f.jsonl:2: got text after the end of the JSON value at byte 13, want one JSON object a row"},
		"cut object":            {ok + "\n" + `{"text":"a`, "f.jsonl:3: got JSON that ends too early: unexpected EOF, want one JSON object a row"},
		"object over lines":     {"{\n\"text\":\"a\"}", "f.jsonl:1: got JSON that ends too early"},
		"duplicate key":         {`{"text":"a","text":"b"}`, `f.jsonl:1: got duplicate key "text", want one JSON object a row`},
		"number for text":       {ok + `{"text":17}`, `f.jsonl:2: column "text": got a number, want a string`},
		"null text":             {ok + `{"text":null}`, `f.jsonl:2: got columns text, want text as in line 1`},
		"mixed columns":         {ok + `{"question":"q","answer":"a"}`, `f.jsonl:2: got gsm8k (question, answer), want text as in line 1`},
		"preference rows":       {`{"prompt":"p","chosen":"c","rejected":"r"}`, "f.jsonl:1: got columns prompt, chosen, rejected, want text; messages; prompt and completion;"},
		"unpaired preferences":  {`{"prompt":"p","completion":"c","label":false}`, "f.jsonl:1: got columns prompt, completion, label, which are preferences, want examples to imitate (set ReadOptions.Shape to take all of them as such)"},
		"conversations judged":  {`{"conversations":[{"from":"human","value":"x"}],"chosen":{}}`, "which are preferences"},
		"long foreign column":   {`{"` + strings.Repeat("é", 19) + `x` + strings.Repeat("é", 19) + `":1}`, "f.jsonl:1: got columns " + strings.Repeat("é", 19) + "x…, want text;"},
		"control characters":    {`{"a\u001b[2Jb":1}`, "f.jsonl:1: got columns a\ufffd[2Jb, want text;"},
		"half a prompt":         {`{"prompt":"p","completion":[{"role":"user","content":"x"}]}`, `column "prompt": got a string, want a list of messages`},
		"no messages":           {`{"messages":[]}`, `column "messages": got an empty list, want at least one message`},
		"message a string":      {`{"messages":["hi"]}`, `column "messages[0]": got a string, want an object with role and content`},
		"messages an object":    {`{"messages":{}}`, `column "messages": got an object, want a list of messages`},
		"no role":               {`{"messages":[{"content":"hi"}]}`, `column "messages[0].role": got nothing, want a string`},
		"no content":            {`{"messages":[{"role":"user","content":"a"},{"role":"user"}]}`, `column "messages[1].content": got nothing, want a string`},
		"content a number":      {`{"messages":[{"role":"user","content":1}]}`, `column "messages[0].content": got a number, want a string`},
		"image part":            {`{"messages":[{"role":"user","content":[{"type":"image"}]}]}`, `column "messages[0].content[0].type": got "image", want "text" (images and audio are not supported)`},
		"part a string":         {`{"messages":[{"role":"user","content":["x"]}]}`, `column "messages[0].content[0]": got a string, want an object with type and text`},
		"image column":          {`{"text":"a","images":["x.png"]}`, `column "images": got a list, want text only: images, audio and video are not supported`},
		"unknown speaker":       {`{"conversations":[{"from":"alien","value":"x"}]}`, `column "conversations[0].from": got "alien", want human, gpt, system, function_call, observation or tool`},
		"bad call":              {`{"conversations":[{"from":"function_call","value":"f(1)"}]}`, `column "conversations[0].value": got f(1), want a JSON object with "name" and "arguments"`},
		"tools a number":        {`{"messages":[{"role":"user","content":"x"}],"tools":1}`, `column "tools": got a number, want a list of tool descriptions`},
		"tools bad string":      {`{"messages":[{"role":"user","content":"x"}],"tools":"[1]"}`, `column "tools[0]": got a number, want an object`},
		"arguments a list":      {`{"messages":[{"role":"user","content":"x"}],"chat_template_kwargs":[]}`, `column "chat_template_kwargs": got a list, want an object`},
		"alpaca with history":   {`{"instruction":"i","output":"o","history":[["a","b"]]}`, `column "history": got a list, want no earlier turns`},
		"alpaca bad input":      {`{"instruction":"i","output":"o","input":7}`, `column "input": got a number, want a string`},
		"invalid UTF-8":         {ok + "{\"text\":\"a\xffb\"}", "f.jsonl:2: got invalid UTF-8 at byte 11 of the row, want a row in valid UTF-8"},
		"lone surrogate":        {`{"text":"\ud83d x"}`, `f.jsonl:1: got lone surrogate \ud83d at byte 10 of the row, want a row in valid UTF-8`},
		"half a pair":           {`{"text":"\ud83d\u0041"}`, `got lone surrogate \ud83d at byte 10 of the row`},
		"half a pair, high":     {`{"text":"\ud83d\ue000"}`, `got lone surrogate \ud83d at byte 10 of the row`},
		"low surrogate first":   {`{"text":"\\\udc00"}`, `f.jsonl:1: got lone surrogate \udc00 at byte 12 of the row`},
		"array of text":         {"[\n\"a\"]", `f.jsonl:2: got '"', want an object in the list of rows`},
		"array without commas":  {"[{\"text\":\"a\"}\n{\"text\":\"b\"}]", `f.jsonl:2: got '{', want a comma or the end of the list`},
		"array without end":     {"[{\"text\":\"a\"},\n", `f.jsonl:2: got the end of the file inside the list of rows, want ]: unexpected EOF`},
		"array cut in a string": {"[{\"text\":\"a\n", `f.jsonl:2: got the end of the file inside the list of rows, want ]: unexpected EOF`},
		"text behind the array": {"[{\"text\":\"a\"}]\nx", `f.jsonl:2: got 'x' after the end of the list, want the end of the file`},
		"bad element":           {"[{\"text\":\"a\"},\n{]}]", `f.jsonl:2: got `},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := readAll(c.text, data.ReadOptions{})
			require.ErrorContains(t, err, c.want)
			require.True(t, strings.HasPrefix(err.Error(), "data: f.jsonl:"), "%v", err)
			var fault *data.Error
			require.ErrorAs(t, err, &fault)
			assert.Equal(t, "f.jsonl", fault.At.File)
		})
	}
}

func TestReadKeepsRowsBeforeAnError(t *testing.T) {
	rows, failed := 0, false
	for _, err := range data.Read(strings.NewReader(ok+ok+"{\n"+ok), "f", data.ReadOptions{}) {
		require.False(t, failed, "nothing comes after an error")
		if failed = err != nil; !failed {
			rows++
		}
	}
	require.Equal(t, 2, rows)
	require.True(t, failed)
}

func TestReadReportsFailingReaders(t *testing.T) {
	broken := errors.New("disk on fire")
	_, err := collect(data.Read(io.MultiReader(strings.NewReader(ok), failing{broken}), "f", data.ReadOptions{}))
	require.ErrorIs(t, err, broken)
	require.EqualError(t, err, fmt.Sprintf("data: f: reading around byte %d: disk on fire", len(ok)))
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestReadLimits(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	var columns strings.Builder
	for i := range 20 {
		fmt.Fprintf(&columns, `,"c%d":0`, i)
	}
	long := strings.Repeat("x", 1000)
	cases := map[string]struct {
		text string
		opts data.ReadOptions
		want string
	}{
		"huge line":         {ok + `{"text":"` + long + `"}`, data.ReadOptions{MaxRowBytes: 500}, "f.jsonl:2: got a row of more than 500 bytes, want at most that (ReadOptions.MaxRowBytes)"},
		"huge element":      {"[\n" + `{"text":"` + long + `"}]`, data.ReadOptions{MaxRowBytes: 500}, "f.jsonl:2: got a row of more than 500 bytes"},
		"endless line":      {ok + strings.Repeat("x", 1<<20), data.ReadOptions{MaxRowBytes: 500}, "f.jsonl:2: got a row of more than 500 bytes"},
		"many columns":      {`{"text":"a"` + columns.String() + `}`, data.ReadOptions{MaxColumns: 20}, "f.jsonl:1: got more than 20 keys"},
		"many message keys": {`{"messages":[{"role":"user","content":"a"` + columns.String() + `}]}`, data.ReadOptions{MaxColumns: 20}, `column "messages[0]": got more than 20 keys`},
		"many messages":     {`{"messages":[` + strings.Repeat(`{"role":"user","content":"a"},`, 3) + `{}]}`, data.ReadOptions{MaxMessages: 3}, `column "messages": got more than 3 items`},
		"deep nesting":      {`{"text":"a","x":` + deep(20_000) + `}`, data.ReadOptions{}, "f.jsonl:1: got bad JSON at byte 10013: invalid character '[' exceeded max depth"},
		"deep array":        {`[{"text":"a","x":` + deep(20_000) + `}]`, data.ReadOptions{}, "f.jsonl:1: got bad JSON at byte"},
		"big file":          {strings.Repeat(ok, 100), data.ReadOptions{MaxBytes: 800}, "data: f.jsonl: decompressed data over the limit: got more than 800 bytes"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := readAll(c.text, c.opts)
			require.ErrorContains(t, err, c.want)
		})
	}
	const exact = `{"text":"a"}`
	for _, form := range []string{exact, exact + "\n", exact + "\r\n", "[" + exact + "," + exact + "]"} {
		_, err := readAll(form, data.ReadOptions{MaxRowBytes: len(exact)})
		require.NoError(t, err, "%q: a row as long as the limit", form)
		_, err = readAll(form, data.ReadOptions{MaxRowBytes: len(exact) - 1})
		require.ErrorContains(t, err, "got a row of more than 11 bytes", "%q", form)
	}
}
