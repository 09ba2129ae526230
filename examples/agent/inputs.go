package main

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/examples/internal/problems"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/rlhf/rollout"
)

// inputs are the problems of a run, how their answers are checked, and examples of
// how the tool is used.
type inputs struct {
	training, held []rollout.Prompt
	examples       *data.Dataset // of the warm-up
	verifier       reward.Verifier
	longest        int // tokens of a prompt with what follows
	maxTokens      int // that the model may say
}

// open reads problems: sums without a carry, of which -called are solved with the tool
// in the warm-up and the others by heart, or the GSM8K rows of -data.
func open(ctx context.Context, c *auto.Checkpoint) (*inputs, error) {
	training, held, err := problems.Rows(&flags)
	if err != nil {
		return nil, err
	}
	in := &inputs{verifier: reward.GSM8K(), maxTokens: *longest, examples: &data.Dataset{}}
	if in.maxTokens == 0 {
		if in.maxTokens = 320; flags.Model == "" {
			in.maxTokens = 16
		}
	}
	examples := slices.Clone(training[:min(len(training), *shown)])
	if training[0].Shape != data.ShapeGSM8K {
		in.verifier = reward.Exact()
		for i, row := range examples {
			if float64(i%10) < 10**called {
				formula := strings.TrimSuffix(row.Prompt, "=")
				examples[i].Completion = callOpens + formula + callEnds + row.Completion + replyEnds + row.Completion
			}
		}
	}
	if err := in.show(c, examples); err != nil {
		return nil, err
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
