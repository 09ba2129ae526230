package guard_test

import (
	"fmt"

	"github.com/posttrain/posttrain/rlhf/guard"
	"github.com/posttrain/posttrain/train"
)

func ExampleAlarms() {
	alarms := guard.Alarms{guard.KLBudget("kl", 3), guard.Repetition("repetition", 0.2)}
	fmt.Println(alarms.Observe(guard.Values{"kl": 4, "repetition": 0.1}))
	fmt.Println(alarms.Observe(guard.Values{"kl": 9.5, "repetition": 0.1}))
	// Output:
	// []
	// [kl: kl is 9.5, want at most 9 (1 steps so far)]
}

// A hook that ends a run with the reason.
func ExampleAlarms_Check() {
	alarms := guard.Alarms{guard.KLBudget("kl", 1)}
	hooks := train.Hooks{Step: func(s train.Step) error { return alarms.Check(s.Metrics) }}
	var m train.Metrics
	m.Set("kl", 2)
	fmt.Println(hooks.Step(train.Step{Metrics: &m}))
	// Output: guard: stop: kl: kl is 2, want at most 1 (1 steps so far)
}
