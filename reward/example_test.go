package reward_test

import (
	"context"
	"fmt"

	"github.com/posttrain/posttrain/reward"
)

func Example() {
	both, err := reward.NewComposite("r1",
		reward.Part{Weight: 1, Verifier: reward.Within("answer", reward.Math())},
		reward.Part{Weight: 0.2, Verifier: reward.Tags("think", "answer")})
	if err != nil {
		fmt.Println(err)
		return
	}
	s := reward.Sample{Reference: `\frac{1}{2}`, Completion: "<think>2/4 is a half</think>\n<answer>0.5</answer>"}
	total, parts, err := both.Parts(context.Background(), s)
	fmt.Println(total, parts, err)
	_, err = both.Verify(context.Background(), reward.Sample{Completion: s.Completion})
	fmt.Println(err != nil)
	// Output:
	// 1.2 [{math 1} {tags_think_answer 1}] <nil>
	// true
}
