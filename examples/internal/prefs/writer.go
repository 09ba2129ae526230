package prefs

import (
	"context"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/dpo/unpaired"
	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/train"
)

// Writer lets the policy answer a few held-out prompts, the same every time, by its
// likeliest tokens. It is a train.Sampler.
type Writer struct {
	gen     *generate.Generator
	prompts [][]int32
	samples []train.Sample // prompt and preferred answer
}

const (
	// written is the number of prompts.
	written = 4
	// mostWritten bounds an answer in tokens; shorter where held-out answers are.
	mostWritten = 128
)

// Text is a prompt with an answer that was preferred, as token ids.
type Text struct{ Prompt, Answer []int32 }

// Texts are the prompts and preferred answers of pairs.
func Texts(pairs []dpo.Pair) []Text {
	list := make([]Text, len(pairs))
	for i, p := range pairs {
		list[i] = Text{p.Prompt, p.Chosen}
	}
	return list
}

// NewWriter prepares answers to the first few prompts.
func NewWriter(f *cli.Flags, c *auto.Checkpoint, p dpo.Policy, texts []Text) (*Writer, error) {
	w := &Writer{}
	prompt, answer := 0, 0
	for _, t := range texts[:min(written, len(texts))] {
		w.prompts = append(w.prompts, t.Prompt)
		w.samples = append(w.samples, train.Sample{Prompt: c.Tokenizer.Decode(t.Prompt, true), Reference: c.Tokenizer.Decode(t.Answer, true)})
		prompt, answer = max(prompt, len(t.Prompt)), max(answer, len(t.Answer))
	}
	most := min(mostWritten, 2*answer)
	var err error
	w.gen, err = generate.New(p.Model, generate.Config{
		Adapter: p.AdapterName(), Sequences: written, Context: prompt + most, Device: f.Device(), Decode: generate.Text(c.Tokenizer.NewStream),
	})
	return w, err
}

// Sample implements train.Sampler.
func (w *Writer) Sample(ctx context.Context) ([]train.Sample, error) {
	completions, err := w.gen.Generate(ctx, w.prompts, generate.Options{MaxTokens: w.gen.Context() - longest(w.prompts)})
	if err != nil {
		return nil, err
	}
	list := make([]train.Sample, len(completions))
	for i, c := range completions {
		list[i] = w.samples[i]
		list[i].Completion, list[i].Finish = c.Text, "stop"
		if c.Finish == generate.FinishLength {
			list[i].Finish = "length"
		}
	}
	return list, nil
}

func longest(prompts [][]int32) int {
	n := 0
	for _, p := range prompts {
		n = max(n, len(p))
	}
	return n
}

// Close releases the memory of generation.
func (w *Writer) Close() error { return w.gen.Close() }

// RowTexts are the prompts and answers of desirable rows.
func RowTexts(rows []unpaired.Row) []Text {
	var list []Text
	for _, r := range rows {
		if r.Desirable {
			list = append(list, Text{r.Prompt, r.Completion})
		}
	}
	return list
}
