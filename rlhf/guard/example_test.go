package guard_test

import (
	"fmt"

	"github.com/posttrain/posttrain/rlhf/guard"
)

func ExampleAlarms() {
	alarms := guard.Alarms{guard.KLBudget("kl", 3), guard.Repetition("repetition", 0.2)}
	fmt.Println(alarms.Observe(guard.Values{"kl": 4, "repetition": 0.1}))
	fmt.Println(alarms.Observe(guard.Values{"kl": 9.5, "repetition": 0.1}))
	// Output:
	// []
	// [kl: kl is 9.5, want it within [-Inf, 9] (1 steps outside)]
}
