package main

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/examples/internal/problems"
	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/rlhf/rollout"
)

// inputs are the problems of a run, how their answers are checked, and examples of
// how the tool is used.
type inputs struct {
	rows           []data.Row // to train on
	training, held []rollout.Prompt
	examples       *data.Dataset // of the warm-up
	verifier       reward.Verifier
	longest        int // tokens of a prompt with what follows
	maxTokens      int // that the model may say
}

// open reads problems: sums without a carry, or the GSM8K rows of -data.
func open(ctx context.Context, c *auto.Checkpoint) (*inputs, error) {
	training, held, err := problems.Rows(&flags)
	if err != nil {
		return nil, err
	}
	in := &inputs{rows: training, verifier: reward.Exact(), maxTokens: *longest, examples: &data.Dataset{}}
	if training[0].Shape == data.ShapeGSM8K {
		in.verifier = reward.GSM8K()
	}
	if in.maxTokens == 0 {
		if in.maxTokens = 320; flags.Model == "" {
			in.maxTokens = 16
		}
	}
	o := rollout.PromptOptions{Encoder: c.Tokenizer}
	if in.training, err = rollout.Prompts(ctx, data.Slice[data.Row](training), o); err != nil {
		return nil, err
	}
	in.held, err = rollout.Prompts(ctx, data.Slice[data.Row](held), o)
	for _, p := range slices.Concat(in.training, in.held) {
		in.longest = max(in.longest, len(p.IDs)+2*in.maxTokens)
	}
	return in, err
}

// prepare makes the examples of the warm-up: GSM8K rows as they are; of sums -called
// with a call, and the others with what the model says before it learns anything, so
// that the warm-up teaches the tool and not the sums.
func (in *inputs) prepare(ctx context.Context, c *auto.Checkpoint, g *generate.Generator) error {
	examples := slices.Clone(in.rows[:min(len(in.rows), *shown)])
	if examples[0].Shape == data.ShapeGSM8K {
		return in.show(c, examples)
	}
	var alone []int
	var asked [][]int32
	for i, row := range examples {
		if float64(i%10) < 10**called {
			formula := strings.TrimSuffix(row.Prompt, callEnds)
			examples[i].Completion = callOpens + formula + callEnds + row.Completion + replyEnds + row.Completion
			continue
		}
		alone, asked = append(alone, i), append(asked, c.Tokenizer.AppendIDs(nil, row.Prompt, true))
	}
	said, err := g.Generate(ctx, asked, generate.Options{MaxTokens: in.maxTokens, Temperature: 1, Seed: flags.Seed})
	if err != nil {
		return err
	}
	for k, i := range alone {
		examples[i].Completion = said[k].Text
	}
	return in.show(c, examples)
}

// reply is what the tool said in the text of an example.
var reply = regexp.MustCompile(`(<<[^<>=]*=)([^<>]*>>)`)

// show makes examples of rows. What the tool says is read and not learnt.
func (in *inputs) show(c *auto.Checkpoint, rows []data.Row) error {
	eos, _, _ := c.Tokenizer.EOS()
	for _, row := range rows {
		x := data.Example{IDs: c.Tokenizer.AppendIDs(nil, row.Prompt, true), At: row.At}
		x.Prompt = len(x.IDs)
		x.Roles, x.Mask = make([]data.Role, x.Prompt), make([]bool, x.Prompt)
		add := func(ids []int32, learnt bool) {
			for _, id := range ids {
				role := data.RoleContext
				if learnt {
					role = data.RoleAnswer
				}
				x.IDs, x.Roles, x.Mask = append(x.IDs, id), append(x.Roles, role), append(x.Mask, learnt)
			}
		}
		at := 0
		for _, m := range reply.FindAllStringSubmatchIndex(row.Completion, -1) {
			add(c.Tokenizer.AppendIDs(nil, row.Completion[at:m[3]], false), true)
			add(c.Tokenizer.AppendIDs(nil, row.Completion[m[4]:m[5]], false), false)
			at = m[5]
		}
		add(c.Tokenizer.AppendIDs(nil, row.Completion[at:], false), true)
		add([]int32{eos}, true)
		if len(x.IDs) > flags.MaxLength {
			continue
		}
		if err := in.examples.Append(x); err != nil {
			return err
		}
	}
	return nil
}
