package data_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/data/chat"
	"github.com/posttrain/posttrain/data/tokenizer"
	"github.com/posttrain/posttrain/internal/oracle"
)

var _ data.OffsetEncoder = (*tokenizer.Tokenizer)(nil)

// ignored is the label of tokens that do not count.
const ignored = -100

// trlRun is what a recorded run of TRL's SFTTrainer made of its rows.
type trlRun struct {
	Model string            `json:"model"`
	Rows  []json.RawMessage `json:"rows"`
	Args  struct {
		MaxLength     int  `json:"max_length"`
		AssistantOnly bool `json:"assistant_only_loss"`
		Packing       bool `json:"packing"`
		PerDevice     int  `json:"per_device_train_batch_size"`
		Accumulation  int  `json:"gradient_accumulation_steps"`
	} `json:"args"`
	Steps []struct {
		Micro []struct {
			Items  float64 `json:"num_items_in_batch"`
			Inputs struct {
				IDs    matrix `json:"input_ids"`
				Labels matrix `json:"labels"`
				Mask   matrix `json:"attention_mask"`
				// packed runs
				Positions matrix `json:"position_ids"`
				Ends      matrix `json:"cu_seq_lens_q"`
			} `json:"inputs"`
		} `json:"micro"`
	} `json:"steps"`
}

type matrix struct {
	Shape []int   `json:"shape"`
	Data  []int32 `json:"data"`
}

// recorded is one row as TRL fed it to the model.
type recorded struct{ ids, labels []int32 }

// examples lists the padded rows of all steps in the order they were trained on.
func (r *trlRun) examples() (out []recorded) {
	for _, step := range r.Steps {
		for _, m := range step.Micro {
			in := m.Inputs
			for width, at := in.IDs.Shape[1], 0; at < len(in.IDs.Data); at += width {
				n := 0
				for n < width && in.Mask.Data[at+n] == 1 {
					n++
				}
				out = append(out, recorded{in.IDs.Data[at : at+n], in.Labels.Data[at : at+n]})
			}
		}
	}
	return out
}

// labels are an example's labels as TRL writes them.
func labels(e data.Example) []int32 {
	out := make([]int32, len(e.IDs))
	for i, id := range e.IDs {
		if out[i] = ignored; e.Mask[i] {
			out[i] = id
		}
	}
	return out
}

// prepareRun does to the rows of a run what the run did.
func prepareRun(t *testing.T, run *trlRun, model string) *data.Dataset {
	tok, err := tokenizer.Open(model)
	require.NoError(t, err)
	const eos = "<|im_end|>"
	source, err := os.ReadFile(filepath.Join(model, "chat_template.jinja"))
	require.NoError(t, err)
	template, err := chat.Parse("chat_template.jinja", string(source), chat.Options{EOS: eos})
	require.NoError(t, err)
	rows, err := collect(data.Read(bytes.NewReader(jsonLines(t, run.Rows...)), "rows", data.ReadOptions{}))
	require.NoError(t, err)
	opts := data.PrepareOptions{MaxLength: run.Args.MaxLength, EOS: eos, Renderer: data.ChatRenderer(template)}
	if run.Args.AssistantOnly {
		opts.Loss = data.LossAssistant
	}
	set, report, err := data.Prepare(context.Background(), data.Slice[data.Row](rows), tok, opts)
	require.NoError(t, err)
	assert.Zero(t, report.Unstopped)
	return set
}

// What TRL 1.16 fed to the model, token for token and label for label.
func TestOracleTRLRows(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "trainers/trajectories") {
		paths, err := filepath.Glob(filepath.Join(root, "sft_*", "run.json.gz"))
		require.NoError(t, err)
		for _, path := range paths {
			t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) {
				var run trlRun
				oracle.ReadJSON(t, path, &run)
				set := prepareRun(t, &run, filepath.Join(root, run.Model))
				require.Equal(t, len(run.Rows), set.Len())
				if run.Args.Packing {
					tally.Compared(comparePacked(t, &run, set))
					return
				}
				for i, want := range run.examples() {
					e := set.Example(i)
					require.Equal(t, want.ids, e.IDs, "row %d", i)
					require.Equal(t, want.labels, labels(e), "row %d", i)
					tally.Compared(1)
				}
				compareSteps(t, &run, set)
			})
		}
	}
}

// comparePacked holds the recorded packs against the micro-batches of a step
// that takes all rows: TRL packs best-fit decreasing as well, and sets the first
// label of each document to ignored.
func comparePacked(t *testing.T, run *trlRun, set *data.Dataset) int {
	b, err := data.NewBatcher(set, data.BatchOptions{Sequential: true, ExamplesPerStep: set.Len(), TokensPerMicro: run.Args.MaxLength})
	require.NoError(t, err)
	var all data.Step
	require.NoError(t, b.Next(&all))
	packs := 0
	for _, step := range run.Steps {
		targets := 0
		for _, m := range step.Micro {
			got, in := all.Micro[packs], m.Inputs
			require.Equal(t, in.IDs.Data, got.Tokens, "pack %d", packs)
			require.Equal(t, in.Positions.Data, got.Positions, "pack %d", packs)
			require.Equal(t, in.Ends.Data[1:], got.Ends, "pack %d", packs)
			labels := slices.Repeat([]int32{ignored}, len(got.Tokens))
			for j, row := range got.Rows {
				labels[row+1] = got.Targets[j]
			}
			require.Equal(t, in.Labels.Data, labels, "pack %d", packs)
			targets += len(got.Targets)
			packs++
		}
		require.Equal(t, step.Micro[0].Items, float64(targets))
	}
	return packs
}

// compareSteps checks the denominator of each optimizer step.
func compareSteps(t *testing.T, run *trlRun, set *data.Dataset) {
	b, err := data.NewBatcher(set, data.BatchOptions{Sequential: true, Epochs: 1, ExamplesPerStep: run.Args.PerDevice * run.Args.Accumulation})
	require.NoError(t, err)
	var step data.Step
	for i, want := range run.Steps {
		require.NoError(t, b.Next(&step))
		require.Equal(t, want.Micro[0].Items, step.Targets, "step %d", i)
	}
}
