package rollout_test

import (
	"context"
	"fmt"

	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/rlhf/rollout"
)

// echo says the prompt's last token again.
type echo struct{}

// Sample implements rollout.Sampler; a policy would be rollout.FromModel(generator, options).
func (echo) Sample(_ context.Context, r rollout.Request) ([]*rollout.Completion, error) {
	var list []*rollout.Completion
	for _, p := range r.Prompts {
		for k := range r.Completions {
			id := p.IDs[len(p.IDs)-1] + int32(k)
			list = append(list, &rollout.Completion{Tokens: []rollout.Token{{ID: id, SamplerLogProb: -1}}, Text: fmt.Sprint(id), Finish: generate.FinishEOS})
		}
	}
	return list, nil
}

func Example() {
	prompts := []rollout.Prompt{{IDs: []int32{1, 4}, Reference: "5"}, {IDs: []int32{2, 7}, Reference: "7"}}
	right := rollout.Each("right", func(_ context.Context, c *rollout.Completion) (float64, error) {
		if c.Text == c.Prompt.Reference {
			return 1, nil
		}
		return 0, nil
	})
	c, err := rollout.New(prompts, echo{}, []rollout.Reward{{By: right}}, rollout.Options{Prompts: 2, Completions: 2, Order: rollout.Sequential{}})
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := c.Next(context.Background(), 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, x := range r.Completions {
		fmt.Println(x.Group, x.Index, x.Text, x.Reward)
	}
	// Output:
	// 0 0 4 0
	// 0 1 5 1
	// 1 0 7 1
	// 1 1 8 0
}
