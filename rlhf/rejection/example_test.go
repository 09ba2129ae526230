package rejection_test

import (
	"context"
	"fmt"

	"github.com/posttrain/posttrain/rlhf/rejection"
	"github.com/posttrain/posttrain/rlhf/rollout"
)

// Example keeps the right answers of a policy that adds up carelessly; a trainer
// would give rollout.FromModel and a verifier of package reward.
func Example() {
	prompts := []rollout.Prompt{{IDs: []int32{1}, Text: "2+2=", Reference: "4"}, {IDs: []int32{2}, Text: "3+3=", Reference: "6"}}
	said := map[string][]string{"2+2=": {"4", "5", "4", "four: 4"}, "3+3=": {"7", "7", "8", "9"}}
	exact := rollout.Each("ends right", func(_ context.Context, c *rollout.Completion) (float64, error) {
		if c.Text[len(c.Text)-1:] == c.Prompt.Reference {
			return 1, nil
		}
		return 0, nil
	})
	c, err := rejection.New(prompts, scripted(said), exact, rejection.Options{Completions: 4})
	if err != nil {
		fmt.Println(err)
		return
	}
	for round, err := range c.Rounds(context.Background()) {
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, row := range round.Rows() {
			fmt.Printf("%s%s\n", row.Prompt, row.Completion)
		}
		fmt.Printf("kept %d of %d, %d prompts without a right answer\n", round.Stats.Kept, round.Stats.Sampled, round.Stats.Unsolved)
	}
	// Output:
	// 2+2=4
	// 2+2=four: 4
	// kept 2 of 8, 1 prompts without a right answer
}
