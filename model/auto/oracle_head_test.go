package auto

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/modeltest"
	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// headReference is what reference.json holds about a head.
type headReference struct {
	Sequence *struct {
		Scores [][]float64 `json:"scores"`
		Right  [][]float64 `json:"padded_right_scores"`
		Left   [][]float64 `json:"padded_left_scores"`
		PAD    int32       `json:"pad_token_id"`
		Trap   struct {
			IDs    [][]int32   `json:"input_ids"`
			Scores [][]float64 `json:"scores"`
		} `json:"trap_row_ends_with_pad_id"`
		Loss struct {
			Pairs [][2]int `json:"pairs_chosen_rejected"`
			Loss  float64  `json:"loss"`
		} `json:"loss"`
	} `json:"sequence_head"`
	Token *struct {
		Labels [][]int `json:"labels"`
		Loss   float64 `json:"loss"`
	} `json:"token_head"`
}

// headCases lists the checkpoints with a head.
func headCases(t *testing.T) []oracleCase {
	var cases []oracleCase
	for _, root := range oracle.Roots(t, "models") {
		var index struct {
			Cases []oracleCase `json:"cases"`
		}
		oracle.ReadJSON(t, filepath.Join(root, "index.json"), &index)
		for _, c := range index.Cases {
			c.dir = filepath.Join(root, c.Folder)
			if _, err := os.Stat(c.dir); err == nil && c.Kind != "causal_lm" {
				cases = append(cases, c)
			}
		}
	}
	require.NotEmpty(t, cases)
	return cases
}

// TestOracleHeads compares hidden states after every layer, scores, losses and
// the gradients of all parameters, in both layouts of config.json.
func TestOracleHeads(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, c := range headCases(t) {
		for _, config := range []string{"config.json", "config_v4.json"} {
			for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
				t.Run(fmt.Sprintf("%s/%s/%v", c.Name, config, dt), func(t *testing.T) {
					r := readReference(t, c)
					k := openCase(t, c, config, Options{Weights: dt})
					require.NotNil(t, k.Head)
					both := model.Headed{Model: k.Model, Score: k.Head}
					require.NoError(t, modeltest.Trainable(both, true))
					j := judge{t: t, name: c.Name, bounds: c.Tolerance, exact: dt == tensor.Float64}
					var want headReference
					oracle.ReadJSON(t, filepath.Join(c.dir, "reference.json"), &want)
					_, rows := r.rows(t)
					if want.Sequence != nil {
						j.sequences(r, both, rows, want)
					} else {
						j.tokens(r, both, rows, want)
					}
					tally.Compared(len(rows))
				})
			}
		}
	}
}

// sequences compares the scores of whole rows, and a Bradley-Terry loss.
func (j judge) sequences(r *reference, m model.Headed, rows [][]int32, want headReference) {
	w := want.Sequence
	loss := 0.0
	got, err := modeltest.ComputeScores(m, rows, modeltest.ScoreOptions{Last: true, Upstream: func(s []float64) []float64 {
		d := make([]float64, len(s))
		for _, p := range w.Loss.Pairs {
			z := s[p[0]] - s[p[1]]
			loss += math.Log1p(math.Exp(-z)) / float64(len(w.Loss.Pairs))
			g := -1 / (1 + math.Exp(z)) / float64(len(w.Loss.Pairs))
			d[p[0]], d[p[1]] = d[p[0]]+g, d[p[1]]-g
		}
		return d
	}})
	require.NoError(j.t, err)
	j.close("scores", "scores", got.Scores, flat(w.Scores))
	j.close("scores", "scores, rows padded on the right", got.Scores, flat(w.Right))
	j.close("scores", "scores, rows padded on the left", got.Scores, flat(w.Left))
	j.headGradients(r, got, loss, w.Loss.Loss)

	// transformers scores the last token that is not the padding id, so a text that
	// ends in that id is scored before its end: cut there, it has the same score.
	var cut [][]int32
	for _, row := range w.Trap.IDs {
		for row[len(row)-1] == w.PAD {
			row = row[:len(row)-1]
		}
		cut = append(cut, row)
	}
	got, err = modeltest.ComputeScores(m, cut, modeltest.ScoreOptions{Last: true})
	require.NoError(j.t, err)
	j.close("scores", "a row that ends in padding ids", got.Scores, flat(w.Trap.Scores))
}

// tokens compares the scores of every token, and a masked cross-entropy.
func (j judge) tokens(r *reference, m model.Headed, rows [][]int32, want headReference) {
	loss := 0.0
	got, err := modeltest.ComputeScores(m, rows, modeltest.ScoreOptions{Upstream: func(s []float64) []float64 {
		d := make([]float64, len(s))
		n, width, at := 0.0, m.Score.Linear.Out(), 0
		for _, labels := range want.Token.Labels {
			for _, l := range labels {
				if l >= 0 {
					n++
					loss += crossEntropy(s[at:at+width], l, d[at:at+width])
				}
				at += width
			}
		}
		for i := range d {
			d[i] /= n
		}
		loss /= n
		return d
	}})
	require.NoError(j.t, err)
	start := 0
	for i, row := range rows {
		end := start + len(row)*m.Score.Linear.Out()
		name := fmt.Sprintf("row%d.logits", i)
		j.close("logits", name, got.Scores[start:end], r.floats(j.t, name))
		start = end
	}
	j.headGradients(r, got, loss, want.Token.Loss)
}

// crossEntropy is −log softmax(s)[label], and its gradient.
func crossEntropy(s []float64, label int, grad []float64) float64 {
	sum := 0.0
	for _, x := range s {
		sum += math.Exp(x)
	}
	for i, x := range s {
		grad[i] = math.Exp(x) / sum
	}
	grad[label]--
	return math.Log(sum) - s[label]
}

func (j judge) headGradients(r *reference, got *modeltest.Scores, loss, want float64) {
	bound := max(j.bounds["loss"][0], j.bounds["loss"][1]*want)
	if j.exact {
		bound = exactTolerance * want
	}
	assert.InDelta(j.t, want, loss, bound, "loss")
	j.gradients("grad.", r, &modeltest.Pass{Grads: got.Grads}, &lossReference{})
}

func flat(rows [][]float64) []float64 {
	var out []float64
	for _, r := range rows {
		out = append(out, r...)
	}
	return out
}
