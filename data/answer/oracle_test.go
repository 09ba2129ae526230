package answer

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// extraction is one text of oracle/eval/gsm8k.json; nil is "no number".
type extraction struct {
	Text       string   `json:"text"`
	Number     *float64 `json:"number"`
	HashNumber *float64 `json:"hash_number"`
	LastNumber *float64 `json:"last_number"`
	MarkA      *float64 `json:"mark_A"`
}

// modelExtractions are the answers read from one model's solutions.
type modelExtractions struct {
	LastNumber extractions `json:"last_number"`
	MarkA      extractions `json:"mark_A"`
}

type extractions struct {
	ShareRight float64    `json:"share_right"`
	Extracted  []*float64 `json:"extracted"`
}

type gsm8kFixture struct {
	Data        string                      `json:"data"`
	Start       int                         `json:"start"`
	Models      map[string]modelExtractions `json:"models"`
	Gold        []float64                   `json:"gold"`
	HashRewrite []extraction                `json:"hash_rewrite"`
	Edge        []extraction                `json:"edge"`
}

func TestOracleGSM8K(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "eval/gsm8k.json") {
		var f gsm8kFixture
		oracle.ReadJSON(t, root, &f)
		for i, c := range f.Edge {
			t.Run("edge/"+strconv.Itoa(i), func(t *testing.T) {
				check(t, Hash, c.Text, c.HashNumber)
				check(t, LastNumber, c.Text, c.LastNumber)
				check(t, Line, c.Text, c.MarkA)
				tally.Compared(1)
			})
		}
		for i, c := range f.HashRewrite {
			t.Run("hash_rewrite/"+strconv.Itoa(i), func(t *testing.T) {
				check(t, Hash, c.Text, c.Number)
				check(t, GSM8K, c.Text, c.Number)
				tally.Compared(1)
			})
		}
		compareModels(t, tally, &f, root)
	}
}

// compareModels reads the models' solutions, which are not part of the
// repository: they lie in ../data of the second fixture root.
func compareModels(t *testing.T, tally *oracle.Tally, f *gsm8kFixture, root string) {
	rows := readRows(filepath.Join(filepath.Dir(root), "..", "..", "data", f.Data))
	if rows == nil {
		tally.Skip("models", f.Data+" is not beside "+root)
		return
	}
	rows = rows[f.Start:][:len(f.Gold)]
	for name, m := range f.Models {
		t.Run(name, func(t *testing.T) {
			for rule, want := range map[string]extractions{"last_number": m.LastNumber, "mark_A": m.MarkA} {
				right := 0
				extract := map[string]Extractor{"last_number": LastNumber, "mark_A": Line}[rule]
				for i, row := range rows {
					var s struct{ Solution string }
					require.NoError(t, json.Unmarshal(row[name], &s))
					check(t, extract, s.Solution, want.Extracted[i])
					got, ok := extract(s.Solution)
					if ok && Equal(got, strconv.FormatFloat(f.Gold[i], 'g', -1, 64)) {
						right++
					}
				}
				assert.Equal(t, want.ShareRight, float64(right)/float64(len(rows)), rule)
				tally.Compared(1)
			}
		})
	}
}

func readRows(path string) []map[string]json.RawMessage {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	var rows []map[string]json.RawMessage
	for s := bufio.NewScanner(f); s.Scan(); {
		var row map[string]json.RawMessage
		if json.Unmarshal(s.Bytes(), &row) != nil {
			return nil
		}
		rows = append(rows, row)
	}
	return rows
}

func check(t *testing.T, extract Extractor, text string, want *float64) {
	t.Helper()
	got, ok := extract(text)
	if want == nil {
		assert.False(t, ok, "%q: got %q", text, got)
		return
	}
	assert.True(t, ok, "%q", text)
	n, _ := Number(got)
	assert.Equal(t, *want, n, "%q", text)
}
