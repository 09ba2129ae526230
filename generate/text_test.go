package generate

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// letters decodes id i as the i-th letter, modulo 26.
type letters struct{}

func newLetters() *letters { return &letters{} }

func (*letters) Add(id int32) string { return string(rune('a' + id%26)) }
func (*letters) Flush() string       { return "" }

// pieces decodes ids by a table and holds incomplete characters back.
type pieces struct {
	table map[int32]string
	rest  string
}

func (p *pieces) Add(id int32) string {
	p.rest += p.table[id]
	n := 0
	for n < len(p.rest) && utf8.FullRuneInString(p.rest[n:]) {
		_, size := utf8.DecodeRuneInString(p.rest[n:])
		n += size
	}
	done := p.rest[:n]
	p.rest = p.rest[n:]
	return done
}

func (p *pieces) Flush() string { return strings.ToValidUTF8(p.rest, "�") }

// run feeds tokens and returns what each hands out.
func runText(x *text, n int, stops []string, last Finish) (out []string, finish Finish) {
	for i := range n {
		t := Token{ID: int32(i)}
		if i == n-1 {
			t.Finish = last
		}
		x.add(&t, stops)
		out = append(out, t.Text)
		if finish = t.Finish; finish != "" {
			break
		}
	}
	return out, finish
}

func TestStopStringsCutAndHoldBack(t *testing.T) {
	for _, c := range []struct {
		name   string
		pieces []string
		stops  []string
		want   []string
		finish Finish
	}{
		{"none", []string{"ab", "c"}, nil, []string{"ab", "c"}, FinishLength},
		{"inside a token", []string{"a", "bSTOPc", "d"}, []string{"STOP"}, []string{"a", "b"}, FinishStop},
		{"across tokens", []string{"aS", "TO", "Pc", "d"}, []string{"STOP"}, []string{"a", "", ""}, FinishStop},
		{"held back and released", []string{"aST", "x"}, []string{"STOP"}, []string{"a", "STx"}, FinishLength},
		{"held back at the end", []string{"aST"}, []string{"STOP"}, []string{"aST"}, FinishLength},
		{"restart inside a match", []string{"SSTO", "P"}, []string{"STOP"}, []string{"S", ""}, FinishStop},
		{"the first of two", []string{"xAyB"}, []string{"B", "A"}, []string{"x"}, FinishStop},
		{"one begins another", []string{"en", "d"}, []string{"ending", "end"}, []string{"", ""}, FinishStop},
		{"at the start", []string{"END"}, []string{"END"}, []string{""}, FinishStop},
		{"end token is not text", []string{"a", "<eos>"}, []string{"<eos>"}, []string{"a", ""}, FinishEOS},
		{"characters of several bytes", []string{"a\xc3", "\xa9", "b"}, []string{"éb"}, []string{"a", "", ""}, FinishStop},
		{"half a character at the end", []string{"a\xc3"}, nil, []string{"a�"}, FinishLength},
	} {
		t.Run(c.name, func(t *testing.T) {
			table := map[int32]string{}
			for i, p := range c.pieces {
				table[int32(i)] = p
			}
			last := c.finish
			if last == FinishStop {
				last = ""
			}
			got, finish := runText(&text{stream: &pieces{table: table}}, len(c.pieces), c.stops, last)
			assert.Equal(t, c.want, got)
			assert.Equal(t, c.finish, finish)
		})
	}
}

// stopCase is one case of stopping.json.
type stopCase struct {
	ID         string   `json:"id"`
	Stops      []string `json:"stop_strings"`
	TokenBytes [][]int  `json:"token_bytes"`
	First      int      `json:"first_stop"` // -1 for never
}

func TestOracleStopStrings(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "sampling") {
		var f struct {
			Strings []stopCase   `json:"stop_strings"`
			IDs     []stopIDCase `json:"stop_ids"`
		}
		oracle.ReadJSON(t, filepath.Join(root, "stopping.json"), &f)
		for _, c := range f.Strings {
			t.Run(c.ID, func(t *testing.T) {
				c.check(t)
				tally.Compared(1)
			})
		}
		for _, c := range f.IDs {
			t.Run(c.ID, func(t *testing.T) {
				for row, ids := range c.Rows {
					c.check(t, row, ids)
				}
				tally.Compared(1)
			})
		}
	}
}

// stopIDCase is a case of several end ids and a largest length.
type stopIDCase struct {
	ID        string    `json:"id"`
	EOS       []int32   `json:"eos_token_id"`
	MaxLength int       `json:"max_length"`
	Rows      [][]int32 `json:"ids"`
	Done      [][]bool  `json:"done_at_prefix"`
}

// check lets a model that always makes the recorded ids run; the first of them is
// the prompt. The references go on after the end, so only the first counts.
func (c *stopIDCase) check(t *testing.T, row int, ids []int32) {
	want := len(ids)
	for i := range ids {
		if c.Done[i][row] && i > 0 {
			want = i + 1
			break
		}
	}
	if c.Done[0][row] {
		return // the prompt ends with an end id, which does not stop a completion
	}
	r := &rollout{g: &Generator{cfg: Config{Context: 1 << 10}, sampler: sampler{opt: Options{}.withDefaults()}}}
	r.opt, r.stops = Options{MaxTokens: c.MaxLength - 1}.withDefaults(), c.EOS
	r.slots = []*sequence{{ids: ids[:1:1], prompt: 1}}
	for _, id := range ids[1:] {
		logits := make([]float32, 10)
		logits[id] = 1
		require.NoError(t, r.take(0, logits))
		if r.slots[0] == nil {
			break
		}
	}
	assert.Len(t, r.events, want-1, "row %d", row)
	assert.Equal(t, want < len(ids) || c.Done[len(ids)-1][row], r.slots[0] == nil)
}

func (c *stopCase) check(t *testing.T) {
	table, all := map[int32]string{}, ""
	for i, bytes := range c.TokenBytes {
		for _, b := range bytes {
			table[int32(i)] += string([]byte{byte(b)})
		}
		all += table[int32(i)]
	}
	out, finish := runText(&text{stream: &pieces{table: table}}, len(c.TokenBytes), c.Stops, "")
	if c.First < 0 {
		assert.Empty(t, finish)
		return
	}
	assert.Equal(t, FinishStop, finish)
	assert.Len(t, out, c.First+1, "token that completes the stop string")
	first := len(all)
	for _, stop := range c.Stops {
		if at := strings.Index(all, stop); at >= 0 {
			first = min(first, at)
		}
	}
	assert.Equal(t, strconv.Quote(all[:first]), strconv.Quote(strings.Join(out, "")))
}
