package data_test

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/posttrain/posttrain/data"
)

func readCSV(text, name string, opts data.ReadOptions) ([]data.Row, error) {
	return collect(data.Read(strings.NewReader(text), name, opts))
}

func TestCSV(t *testing.T) {
	for name, c := range map[string]struct {
		file, text string
		opts       data.ReadOptions
	}{
		"plain":         {file: "f.csv", text: "prompt,completion\np,c\nq,\"d,\n\"\"e\"\"\"\n"},
		"bom, crlf":     {file: "f.CSV", text: "\xef\xbb\xbfprompt,completion\r\np,c\r\n\r\nq,\"d,\n\"\"e\"\"\""},
		"quoted header": {file: "f.csv", text: "\"prompt\",\"completion\"\n\"p\",c\nq,\"d,\n\"\"e\"\"\"\n"},
		"index column":  {file: "f.csv", text: ",prompt,completion\n0,p,c\n1,q,\"d,\n\"\"e\"\"\"\n"},
		"tabs":          {file: "f.tsv", text: "prompt\tcompletion\np\tc\nq\t\"d,\n\"\"e\"\"\"\n"},
		"semicolons":    {file: "f.csv", text: "prompt;completion\np;c\nq;\"d,\n\"\"e\"\"\"\n", opts: data.ReadOptions{Delimiter: ';'}},
	} {
		t.Run(name, func(t *testing.T) {
			rows, err := readCSV(c.text, c.file, c.opts)
			require.NoError(t, err)
			require.Len(t, rows, 2)
			assert.Equal(t, [4]string{"p", "c", "q", "d,\n\"e\""}, [4]string{rows[0].Prompt, rows[0].Completion, rows[1].Prompt, rows[1].Completion})
			assert.Equal(t, data.ShapePromptCompletion, rows[1].Shape)
			assert.Equal(t, 2, rows[0].At.Line)
		})
	}
	rows, err := readCSV("text\n\"\"\n\n7\n\"a\r\"\n", "f.csv", data.ReadOptions{})
	require.NoError(t, err)
	require.Len(t, rows, 3, "an empty text in quotes is a row, a blank line is none")
	assert.Equal(t, [3]string{"", "7", "a\r"}, [3]string{rows[0].Text, rows[1].Text, rows[2].Text})
	assert.Equal(t, 5, rows[2].At.Line)
}

func TestCSVFaults(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "f.csv:1: got no rows",
		"text\n":                            "f.csv:1: got no rows",
		"text,text\na,b\n":                  `f.csv:1: got column "text" twice`,
		"text,x\na\n":                       "f.csv:2: got 1 fields, want 2 as in the header",
		"text,x\n\na,b,c\n":                 "f.csv:3: got 3 fields, want 2",
		"text\na\"b\n":                      "f.csv:2: got a quote inside a field",
		"text\n\"a\"b\n":                    `f.csv:2: got 'b' after the closing quote`,
		"text\n\"a\"\rb\n":                  `f.csv:2: got a carriage return`,
		"text\nok\n\"a\nb\n":                "f.csv:3: got the end of the file inside a quoted field",
		"text\n\xff\n":                      `f.csv:2: got invalid UTF-8 in field "text"`,
		"words\na\n":                        "f.csv:2: got columns words, want text",
		"text\n" + strings.Repeat("x", 300): "f.csv:2: got a record of more than 200 bytes",
		strings.Repeat(",", 20) + "\n":      "f.csv:1: got more than 16 fields",
	} {
		_, err := readCSV(text, "f.csv", data.ReadOptions{MaxRowBytes: 200, MaxColumns: 16})
		require.ErrorContains(t, err, want, "%q", text)
	}
	require.ErrorContains(t, data.ReadOptions{Delimiter: '"'}.Validate(), "Delimiter")
}

// What encoding/csv writes is read back, line ends inside fields included.
func TestCSVRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.StringOf(rapid.OneOf(rapid.Rune(), rapid.RuneFrom([]rune("\",\n\t ;'"))))
		want := rapid.SliceOfN(rapid.SliceOfN(text, 2, 2), 1, 5).Draw(rt, "rows")
		var raw bytes.Buffer
		w := csv.NewWriter(&raw)
		require.NoError(rt, w.Write([]string{"prompt", "completion"}))
		require.NoError(rt, w.WriteAll(want))
		rows, err := readCSV(raw.String(), "f.csv", data.ReadOptions{})
		require.NoError(rt, err)
		require.Len(rt, rows, len(want))
		for i, row := range rows {
			require.Equal(rt, want[i], []string{row.Prompt, row.Completion})
		}
	})
}

func FuzzCSV(f *testing.F) {
	for _, seed := range []string{"text\na\n", "prompt,completion\r\n\"a,\"\"b\",c\n", "\xef\xbb\xbftext\n\"\n\n\"", "a\"b", "text\n\"a\"x", ",\n,\n", "question,answer\n1,2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rows, err := readCSV(text, "f.csv", tight)
		if err != nil {
			require.True(t, strings.HasPrefix(err.Error(), "data: f.csv"), "%v", err)
			return
		}
		require.NotEmpty(t, rows)
		for _, row := range rows {
			require.True(t, utf8.ValidString(row.Text+row.Prompt+row.Completion))
			require.LessOrEqual(t, row.At.Line, strings.Count(text, "\n")+1)
		}
	})
}
