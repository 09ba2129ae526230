package data_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
)

func TestReadKnowsEveryShape(t *testing.T) {
	hi := data.NewMessage("user", "Hi")
	yo := data.NewMessage("assistant", "Yo")
	cases := map[string]struct {
		text string
		want data.Row
	}{
		"text":     {`{"text":"a\nb"}`, data.Row{Shape: data.ShapeText, Text: "a\nb"}},
		"messages": {`{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Yo"}]}`, data.Row{Shape: data.ShapeMessages, Messages: []data.Message{hi, yo}}},
		"prompt and completion": {
			`{"prompt":"2+2=","completion":" 4"}`,
			data.Row{Shape: data.ShapePromptCompletion, Prompt: "2+2=", Completion: " 4"},
		},
		"prompt and completion as messages": {
			`{"prompt":[{"role":"user","content":"Hi"}],"completion":[{"role":"assistant","content":"Yo"}]}`,
			data.Row{Shape: data.ShapeChatCompletion, PromptMessages: []data.Message{hi}, CompletionMessages: []data.Message{yo}},
		},
		"alpaca": {
			`{"instruction":"Add.","input":"","output":"2"}`,
			data.Row{
				Shape:  data.ShapeAlpaca,
				Prompt: "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n### Instruction:\nAdd.\n\n### Response:", Completion: "2",
			},
		},
		"alpaca with input and system": {
			`{"system":"Be brief.","instruction":"Add.","input":"1 1","output":"2","history":[]}`,
			data.Row{Shape: data.ShapeAlpaca, Prompt: "Be brief.\n\n### Instruction:\nAdd.\n\n### Input:\n1 1\n\n### Response:", Completion: "2"},
		},
		"sharegpt": {
			`{"conversations":[{"from":"human","value":"Hi"},{"from":"gpt","value":"Yo"}],"system":null}`,
			data.Row{Shape: data.ShapeShareGPT, Messages: []data.Message{hi, yo}},
		},
		"sharegpt with system": {
			`{"system":"S","conversations":[{"from":"human","value":"Hi"}]}`,
			data.Row{Shape: data.ShapeShareGPT, Messages: []data.Message{data.NewMessage("system", "S"), hi}},
		},
		"gsm8k": {
			`{"question":"2+2?","answer":"4\n#### 4","extra":7}`,
			data.Row{Shape: data.ShapeGSM8K, Prompt: "Question: 2+2?\nAnswer:", Completion: " 4\n#### 4"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			c.want.At = data.Place{File: "f.jsonl", Line: 1}
			rows, err := readAll(c.text, data.ReadOptions{})
			require.NoError(t, err)
			require.Equal(t, []data.Row{c.want}, rows)
			again, err := readAll("\n [\n"+c.text+"]\n", data.ReadOptions{})
			require.NoError(t, err)
			c.want.At.Line = 3
			require.Equal(t, []data.Row{c.want}, again, "the same row in an array")
		})
	}
}

func TestReadKeepsWholeMessages(t *testing.T) {
	const call = `{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":{"z":1,"a":"é<"}}}],"content":null}`
	text := `{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"text":"b","type":"text"}]}, ` + call + `],
	"tools":"[{\"name\":\"f\"}]","chat_template_kwargs":{"enable_thinking":false}}`
	rows, err := readAll(strings.ReplaceAll(text, "\n", ""), data.ReadOptions{})
	require.NoError(t, err)
	row := rows[0]
	assert.Equal(t, "ab", row.Messages[0].Content)
	assert.Equal(t, call, string(row.Messages[1].JSON), "keys keep their order")
	assert.Equal(t, `[{"type":"function","function":{"name":"f"}}]`, string(row.Tools))
	assert.Equal(t, `{"enable_thinking":false}`, string(row.TemplateArgs))
}

func TestReadTranslatesToolTurns(t *testing.T) {
	rows, err := readAll(`{"conversations":[{"from":"human","value":"?"},{"from":"function_call","value":"{\"name\": \"f\", \"arguments\": {\"x\": 1}}"},`+
		`{"from":"observation","value":"2"},{"from":"gpt","value":"two"}],"tools":"[]"}`, data.ReadOptions{})
	require.NoError(t, err)
	var roles []string
	for _, m := range rows[0].Messages {
		roles = append(roles, m.Role)
		assert.True(t, json.Valid(m.JSON), "%s", m.JSON)
	}
	assert.Equal(t, []string{"user", "assistant", "tool", "assistant"}, roles)
	assert.Equal(t, `{"role":"assistant","content":"","tool_calls":[{"type":"function","function":{"name":"f","arguments":{"x":1}}}]}`, string(rows[0].Messages[1].JSON))
	assert.Nil(t, rows[0].Tools, "an empty list is no tools")
}

func TestReadAcceptsWhatEditorsWrite(t *testing.T) {
	const a, b = `{"text":"a"}`, `{"text":"b"}`
	cases := map[string]struct {
		text  string
		lines []int
	}{
		"jsonl":                   {a + "\n" + b + "\n", []int{1, 2}},
		"no last line feed":       {a + "\n" + b, []int{1, 2}},
		"byte order mark":         {"\xef\xbb\xbf" + a + "\n" + b, []int{1, 2}},
		"carriage returns":        {a + "\r\n\r\n" + b + "\r\n", []int{1, 3}},
		"blank lines and tabs":    {"\n \n\t" + a + " \n\n" + b + "\n\n", []int{3, 5}},
		"array":                   {"[" + a + "," + b + "]", []int{1, 1}},
		"array with byte mark":    {"\xef\xbb\xbf\r\n[\r\n" + a + ",\r\n" + b + "\r\n]\r\n", []int{3, 4}},
		"array over many lines":   {"[\n{\n\"text\":\n\"a\"},\n\n{\"text\":\"b\"\n}\n]", []int{2, 6}},
		"braces in strings":       {`[{"text":"a","x":"}]{\"\\"},{"text":"b","x":{"y":["}"]}}]`, []int{1, 1}},
		"null columns do not fit": {`{"text":"a","messages":null}` + "\n" + b, []int{1, 2}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			rows, err := readAll(c.text, data.ReadOptions{})
			require.NoError(t, err)
			require.Len(t, rows, 2)
			for i, row := range rows {
				assert.Equal(t, []string{"a", "b"}[i], row.Text)
				assert.Equal(t, c.lines[i], row.At.Line)
			}
		})
	}
}

func TestReadStopsAtTheLimit(t *testing.T) {
	rows, err := readAll("{\"text\":\"a\"}\n{\"text\":\"b\"}\nrubbish", data.ReadOptions{Limit: 2})
	require.NoError(t, err, "what stands behind the limit is not looked at")
	require.Len(t, rows, 2)
}

func TestReadDemandsTheShapeAsked(t *testing.T) {
	const both = `{"text":"a","question":"q","answer":"a"}`
	_, err := readAll(both, data.ReadOptions{})
	require.EqualError(t, err, `data: f.jsonl:1: got columns text, question, answer, which fit [text gsm8k (question, answer)], want one shape (set ReadOptions.Shape)`)
	rows, err := readAll(both, data.ReadOptions{Shape: data.ShapeGSM8K})
	require.NoError(t, err)
	require.Equal(t, data.ShapeGSM8K, rows[0].Shape)
	rows, err = readAll(`{"prompt":"p","completion":"c","label":true}`, data.ReadOptions{Shape: data.ShapePromptCompletion})
	require.NoError(t, err, "preferences taken as examples on demand")
	require.Equal(t, "c", rows[0].Completion)
	_, err = readAll(`{"text":"a"}`, data.ReadOptions{Shape: data.ShapeGSM8K})
	require.EqualError(t, err, `data: f.jsonl:1: got text, want gsm8k (question, answer)`)
}

func TestOpenReadsAFileAgainAndAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.json")
	require.NoError(t, os.WriteFile(path, []byte(`[{"text":"a"}]`), 0o600))
	source, err := data.Open(path, data.ReadOptions{})
	require.NoError(t, err)
	for range 2 {
		rows, err := data.Collect(source)
		require.NoError(t, err)
		require.Equal(t, path+":1", rows[0].At.String())
	}
	require.NoError(t, os.Remove(path))
	_, err = data.Collect(source)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, path)
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	_, err := data.Open(dir, data.ReadOptions{})
	require.EqualError(t, err, "data: "+dir+": got a folder without data files, want files that end in .json, .jsonl, .ndjson, .csv, .tsv (also .gz and .zst) or match ReadOptions.Formats")
	_, err = data.Open(filepath.Join(dir, "none"), data.ReadOptions{})
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = data.Open(dir, data.ReadOptions{Limit: -1, MaxRatio: -2, Shape: 99})
	require.EqualError(t, err, "data: ReadOptions.Limit: got -1, want 0 (default) or more\n"+
		"data: ReadOptions.MaxRatio: got -2, want 0 (default) or more\n"+
		"data: ReadOptions.Shape: got Shape(99), want a shape of this package or 0")
	_, err = collect(data.Read(strings.NewReader(""), "f", data.ReadOptions{MaxBytes: -1}))
	require.ErrorContains(t, err, "ReadOptions.MaxBytes")
}

func TestOpenFSNamesTheFileByItsLabel(t *testing.T) {
	source, err := data.OpenFS(fstest.MapFS{"a.jsonl": {Data: []byte("{}")}}, "a.jsonl", "embedded/a.jsonl", data.ReadOptions{})
	require.NoError(t, err)
	_, err = data.Collect(source)
	require.ErrorContains(t, err, "embedded/a.jsonl:1: got columns , want text; messages;")
}

// closing counts the files that are open.
type closing struct {
	fs.FS
	open *int
}

func (c closing) Open(name string) (fs.File, error) {
	f, err := c.FS.Open(name)
	if err == nil {
		*c.open++
	}
	return closingFile{f, c.open}, err
}

type closingFile struct {
	fs.File
	open *int
}

func (c closingFile) Close() error {
	*c.open--
	return c.File.Close()
}

func TestOpenClosesTheFileWhateverHappens(t *testing.T) {
	files, open := fstest.MapFS{
		"good": {Data: []byte("{\"text\":\"a\"}\n{\"text\":\"b\"}")}, "bad": {Data: []byte("{\"text\":\"a\"}\nx")}, "gz": {Data: []byte("\x1f\x8bx")},
	}, 0
	for name := range files {
		source, err := data.OpenFS(closing{files, &open}, name, "", data.ReadOptions{})
		require.NoError(t, err)
		for range source.All() {
			require.LessOrEqual(t, open, 1)
		}
		for range source.All() {
			break
		}
		require.Zero(t, open, name)
	}
}
