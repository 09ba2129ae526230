package generate

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// float is a number of the fixtures, where infinities are strings.
type float float64

// UnmarshalJSON reads a number or one of "inf", "-inf" and "nan".
func (f *float) UnmarshalJSON(raw []byte) error {
	switch string(raw) {
	case `"inf"`:
		*f = float(math.Inf(1))
	case `"-inf"`:
		*f = float(math.Inf(-1))
	case `"nan"`:
		*f = float(math.NaN())
	default:
		return json.Unmarshal(raw, (*float64)(f))
	}
	return nil
}

// processorCase is one case of processors.json.gz.
type processorCase struct {
	ID        string `json:"id"`
	Processor string `json:"processor"`
	Set       string `json:"set"`
	Rows      []int  `json:"rows"`
	Params    struct {
		Temperature float64 `json:"temperature"`
		TopK        int     `json:"top_k"`
		TopP        float64 `json:"top_p"`
		MinP        float64 `json:"min_p"`
		MinTokens   int     `json:"min_tokens_to_keep"`
	} `json:"params"`
	Kept   []int     `json:"kept"`
	Ties   []bool    `json:"ties_decided_by_sort"`
	Border []bool    `json:"border"`
	Probs  [][]float `json:"probs"`
}

// Tolerances of oracle/sampling: float64 against float64, and the deviation of
// the library's own float32 run.
const (
	probTolerance   = 1e-9
	prob32Tolerance = 2e-6
	borderSlack     = 3 // tokens kept, where the last bits decide
)

func TestOracleProcessors(t *testing.T) {
	tally := oracle.NewTally(t)
	ours := []string{"temperature", "top_k", "top_p", "min_p"}
	for _, root := range oracle.Roots(t, "sampling") {
		var inputs struct {
			Sets map[string]struct {
				Logits [][]float `json:"logits"`
			} `json:"sets"`
		}
		oracle.ReadJSON(t, filepath.Join(root, "processors_inputs.json"), &inputs)
		var raw struct {
			Cases []json.RawMessage `json:"cases"`
		}
		oracle.ReadJSON(t, filepath.Join(root, "processors.json.gz"), &raw)
		for _, r := range raw.Cases {
			var name struct{ ID, Processor string }
			require.NoError(t, json.Unmarshal(r, &name))
			if !slices.Contains(ours, name.Processor) {
				tally.Skip(name.ID, "not offered")
				continue
			}
			var c processorCase
			require.NoError(t, json.Unmarshal(r, &c))
			if c.Params.MinTokens > 1 {
				tally.Skip(c.ID, "min_tokens_to_keep is not offered")
				continue
			}
			t.Run(c.ID, func(t *testing.T) {
				for i, row := range c.Rows {
					c.check(t, i, inputs.Sets[c.Set].Logits[row])
				}
				tally.Compared(1)
			})
		}
	}
}

// options are the case's processor as options; a top-p of 0 keeps one token.
func (c *processorCase) options() Options {
	o := Options{Temperature: 1, TopP: 1, TopK: c.Params.TopK, MinP: c.Params.MinP}
	switch c.Processor {
	case "temperature":
		o.Temperature = c.Params.Temperature
	case "top_p":
		o.TopP = c.Params.TopP
	}
	return o
}

func (c *processorCase) check(t *testing.T, i int, logits []float) {
	want := c.Probs[i]
	exact := sampler{opt: c.options()}
	exact.truncate64(logits)
	rounded := sampler{opt: c.options()}
	x := narrow(logits)
	rounded.truncate(x, argMax(x))
	for name, s := range map[string]*sampler{"float64": &exact, "float32": &rounded} {
		at := fmt.Sprintf("%s row %d", name, c.Rows[i])
		if c.Border[i] {
			assert.InDelta(t, c.Kept[i], len(s.kept), borderSlack, at)
			continue
		}
		require.Len(t, s.kept, c.Kept[i], at)
		tolerance := probTolerance
		if s == &rounded {
			tolerance = prob32Tolerance
		}
		got := make([]float64, len(want))
		total := massOf(s.kept)
		for _, k := range s.kept {
			got[k.id] = k.mass / total
		}
		if c.Ties[i] { // which of equal tokens survive is the library's sort
			slices.Sort(got)
			want = slices.Sorted(slices.Values(want))
		}
		for v := range got {
			require.InDelta(t, float64(want[v]), got[v], tolerance, "%s token %d", at, v)
		}
	}
}

// truncate64 is truncate in float64, with every token a candidate.
func (s *sampler) truncate64(logits []float) {
	largest := slices.Max(logits)
	for i, x := range logits {
		if shifted := float64(x-largest) / s.opt.Temperature; !math.IsInf(shifted, -1) {
			s.kept = append(s.kept, candidate{int32(i), shifted, math.Exp(shifted)})
		}
	}
	if k := s.opt.TopK; k > 0 && k < len(s.kept) {
		slices.SortFunc(s.kept, likelier)
		for k < len(s.kept) && s.kept[k].shifted == s.kept[k-1].shifted {
			k++
		}
		s.kept = s.kept[:k]
	}
	if s.opt.TopP < 1 {
		s.kept = topP(s.kept, s.opt.TopP*massOf(s.kept))
	}
	if s.opt.MinP > 0 {
		s.kept = minP(s.kept, s.opt.MinP)
	}
}

func narrow(x []float) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return y
}

func argMax(x []float32) int { return slices.Index(x, slices.Max(x)) }

// combinedCase is one run of generate with several options.
type combinedCase struct {
	ID      string         `json:"id"`
	Options map[string]any `json:"options"`
	Steps   []combinedStep `json:"steps"`
}

type combinedStep struct {
	Unfinished []bool    `json:"unfinished"`
	Logits     [][]float `json:"logits"`
	Probs      [][]float `json:"probs"`
}

func TestOracleCombined(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "sampling") {
		var f struct {
			Cases []combinedCase `json:"cases"`
		}
		oracle.ReadJSON(t, filepath.Join(root, "combined.json"), &f)
		for _, c := range f.Cases {
			if odd := c.unsupported(); odd != "" {
				tally.Skip(c.ID, odd+" is not offered")
				continue
			}
			t.Run(c.ID, func(t *testing.T) {
				for i, step := range c.Steps {
					for row := range step.Logits {
						if step.Unfinished[row] {
							c.check(t, fmt.Sprintf("step %d row %d", i, row), step.Logits[row], step.Probs[row])
						}
					}
				}
				tally.Compared(1)
			})
		}
	}
}

func (c *combinedCase) unsupported() string {
	for _, name := range slices.Sorted(maps.Keys(c.Options)) {
		if !slices.Contains([]string{"do_sample", "max_new_tokens", "temperature", "top_k", "top_p", "min_p"}, name) {
			return name
		}
	}
	return ""
}

func (c *combinedCase) number(name string, def float64) float64 {
	if v, ok := c.Options[name].(float64); ok {
		return v
	}
	return def
}

func (c *combinedCase) check(t *testing.T, at string, logits []float, want []float) {
	x := narrow(logits)
	if c.Options["do_sample"] == false {
		s := sampler{opt: Options{}.withDefaults()}
		got, err := s.pick(x, 0, 0)
		require.NoError(t, err)
		assert.Equal(t, argMax(narrow(want)), int(got.ID), at)
		return
	}
	// A top_k that is not given is transformers' default of 50.
	s := sampler{opt: Options{Temperature: c.number("temperature", 1), TopK: int(c.number("top_k", 50)), TopP: c.number("top_p", 1), MinP: c.number("min_p", 0)}}
	s.truncate(x, argMax(x))
	got, total := make([]float64, len(want)), massOf(s.kept)
	for _, k := range s.kept {
		got[k.id] = k.mass / total
	}
	for v := range got {
		require.InDelta(t, float64(want[v]), got[v], prob32Tolerance, "%s token %d", at, v)
	}
}
