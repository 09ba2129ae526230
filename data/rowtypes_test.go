package data_test

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
)

const (
	user      = `{"role":"user","content":"p"}`
	assistant = `{"role":"assistant","content":"a"}`
)

func memory(text string) fstest.MapFS { return fstest.MapFS{"f.jsonl": {Data: []byte(text)}} }

func readLabelled(text string) ([]data.LabelledRow, error) {
	src, err := data.OpenLabelledFS(memory(text), "f.jsonl", "", data.ReadOptions{})
	if err != nil {
		return nil, err
	}
	return data.Collect(src)
}

func TestLabelledRowsOfEveryShape(t *testing.T) {
	rows, err := readLabelled(`{"prompt":"p","completion":"a","label":true}
{"prompt":"p","completion":"a","label":0}
{"prompt":[` + user + `],"completion":[` + assistant + `],"label":false,"tools":[{"name":"f"}],"chat_template_kwargs":{"x":1}}
{"messages":[` + user + `,` + assistant + `],"label":"true"}
{"conversations":[{"from":"human","value":"p"},{"from":"gpt","value":"a"}],"system":"s","label":1}`)
	require.NoError(t, err)
	require.Len(t, rows, 5)
	for i, want := range []struct {
		label bool
		turns int
	}{{true, 0}, {false, 0}, {false, 1}, {true, 1}, {true, 2}} {
		got := rows[i].Answer()
		assert.Equal(t, want.label, rows[i].Label, "row %d", i)
		require.Len(t, got.PromptMessages, want.turns, "row %d", i)
		if want.turns == 0 {
			assert.Equal(t, [2]string{"p", "a"}, [2]string{got.Prompt, got.Completion})
			assert.Equal(t, data.ShapePromptCompletion, got.Shape)
			continue
		}
		assert.Equal(t, data.ShapeChatCompletion, got.Shape)
		assert.Equal(t, "p", got.PromptMessages[want.turns-1].Content)
		assert.Equal(t, "a", got.CompletionMessages[0].Content)
		assert.Equal(t, i+1, got.At.Line)
	}
	assert.JSONEq(t, `[{"type":"function","function":{"name":"f"}}]`, string(rows[2].Answer().Tools))
	assert.JSONEq(t, `{"x":1}`, string(rows[2].Answer().TemplateArgs))
}

func TestFaultyLabelledRowsAreNamed(t *testing.T) {
	for text, want := range map[string]string{
		`{"prompt":"p","completion":"a"}`:                   `f.jsonl:1: got columns prompt, completion, want prompt, completion and label`,
		`{"prompt":"p","completion":"a","label":null}`:      `got columns prompt, completion, label`,
		`{"prompt":"p","completion":"a","label":2}`:         `column "label": got a number 2, want true or false`,
		`{"prompt":"p","completion":1,"label":true}`:        `column "completion": got a number, want a string`,
		`{"messages":[` + user + `],"label":true}`:          `want a prompt, then an answer of the assistant`,
		`{"messages":[` + assistant + `],"label":true}`:     `want a prompt, then an answer of the assistant`,
		`{"text":"p","label":true}`:                         `got columns text, label`,
		`{"prompt":"p","completion":"","label":true}` + "x": `f.jsonl:1: got`,
	} {
		_, err := readLabelled(text)
		require.ErrorContains(t, err, want, text)
	}
}

func TestUnpairMakesTwoRowsOfAComparison(t *testing.T) {
	pairs := data.Slice[data.PairRow]{{Prompt: "p", Chosen: "c", Rejected: "r"}, {Prompt: "q", Chosen: "d", Rejected: "s"}}
	rows, err := data.Collect(data.Unpair(pairs))
	require.NoError(t, err)
	assert.Equal(t, []data.LabelledRow{
		{Prompt: "p", Completion: "c", Label: true}, {Prompt: "p", Completion: "r"},
		{Prompt: "q", Completion: "d", Label: true}, {Prompt: "q", Completion: "s"},
	}, rows)
}

func TestStepRows(t *testing.T) {
	read := func(text string) ([]data.StepRow, error) {
		src, err := data.OpenStepsFS(memory(text), "f.jsonl", "", data.ReadOptions{})
		require.NoError(t, err)
		return data.Collect(src)
	}
	rows, err := read(`{"prompt":"p","completions":["a","b"],"labels":[true,0]}` + "\n" + `{"prompt":"q","completions":[],"labels":[]}`)
	require.NoError(t, err)
	require.Len(t, rows, 2)
	assert.Equal(t, []string{"a", "b"}, rows[0].Completions)
	assert.Equal(t, []bool{true, false}, rows[0].Labels)
	assert.Empty(t, rows[1].Completions)
	for text, want := range map[string]string{
		`{"prompt":"p","completions":["a"],"labels":[]}`:       `column "labels": got 0 labels, want one for each of the 1 completions`,
		`{"prompt":"p","completions":["a",2],"labels":[1,1]}`:  `column "completions[1]": got a number, want a string`,
		`{"prompt":"p","completions":["a"],"labels":["good"]}`: `column "labels[0]": got a string, want true or false`,
		`{"prompt":"p","completions":"a","labels":[true]}`:     `column "completions": got a string, want a list`,
		`{"prompt":"p","completion":"a","label":true}`:         `want prompt, completions and labels`,
	} {
		_, err := read(text)
		require.ErrorContains(t, err, want, text)
	}
}

func TestPromptRows(t *testing.T) {
	read := func(text string) ([]data.PromptRow, error) {
		src, err := data.OpenPromptsFS(memory(text), "f.jsonl", "", data.ReadOptions{})
		require.NoError(t, err)
		return data.Collect(src)
	}
	rows, err := read(`{"prompt":"p", "solution":"4"}` + "\n" + `{"prompt":[` + user + `]}` + "\n" + `{"question":"q","answer":"#### 4"}`)
	require.NoError(t, err)
	require.Len(t, rows, 3)
	assert.Equal(t, "p", rows[0].Prompt)
	assert.Equal(t, `{"prompt":"p","solution":"4"}`, string(rows[0].Columns))
	assert.Equal(t, "p", rows[1].PromptMessages[0].Content)
	assert.Equal(t, "Question: q\nAnswer:", rows[2].Prompt)
	_, err = read(`{"text":"p"}`)
	require.ErrorContains(t, err, "got columns text, want prompt; or question and answer")
}

// The prompts that TRL's extract_prompt finds, but for texts with nothing in
// common.
func TestImplicitPrompts(t *testing.T) {
	for _, c := range [][5]string{ // chosen, rejected; prompt and both rests
		{"The sky is blue.", "The sky is green.", "The sky is", " blue.", " green."},
		{"abX", "abY", "ab", "X", "Y"},
		{"ab", "abc", "a", "b", "bc"},
		{"same", "same", "sam", "e", "e"},
		{"X ", "Y", "", "X ", "Y"},
		{"日本", "日語", "日", "本", "語"},
		{"", "x", "", "", "x"},
	} {
		prompt, chosen, rejected := data.SplitPrompt(c[0], c[1])
		assert.Equal(t, c, [5]string{c[0], c[1], prompt, chosen, rejected})
	}
	rows, err := readPairs(`{"chosen":[` + user + `,` + assistant + `],"rejected":[` + user + `,{"role":"assistant","content":"b"}],"margin":1.5}` +
		"\n" + `{"chosen":"p: x","rejected":"p: y"}`)
	require.NoError(t, err)
	assert.Equal(t, 1.5, rows[0].Margin)
	require.Len(t, rows[0].PromptMessages, 1)
	assert.Equal(t, "a", rows[0].ChosenMessages[0].Content)
	assert.Equal(t, "b", rows[0].RejectedMessages[0].Content)
	assert.Equal(t, [3]string{"p:", " x", " y"}, [3]string{rows[1].Prompt, rows[1].Chosen, rows[1].Rejected})
	_, err = readPairs(`{"chosen":[` + user + `],"rejected":[` + assistant + `]}`)
	require.ErrorContains(t, err, "nothing in common")
}

// The files of LLaMA-Factory that are no examples: judged answers and comparisons.
func TestRealJudgedRows(t *testing.T) {
	path := realData(t, "kto_en_demo.json")
	src, err := data.OpenLabelled(path, data.ReadOptions{})
	require.NoError(t, err)
	rows, err := data.Collect(src)
	require.NoError(t, err)
	good := 0
	for _, row := range rows {
		require.NotEmpty(t, row.PromptMessages)
		require.Len(t, row.CompletionMessages, 1)
		if row.Label {
			good++
		}
	}
	assert.Len(t, rows, 300)
	assert.Positive(t, good)
	assert.Less(t, good, len(rows))
}
