package ensemble_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/reward/ensemble"
)

// fooled is a reward model that likes short answers, and a word too much.
func fooled(word string) ensemble.Scorer {
	return ensemble.Verified(reward.Func("likes "+word, func(s reward.Sample) (float64, error) {
		r := -0.1 * float64(len(s.Completion))
		if strings.Contains(s.Completion, word) {
			r += 9
		}
		return r, nil
	}))
}

// An answer that pleases a single member wins by the mean, and not by the worst.
// Learned members are *reward.Model.
func Example() {
	samples := []reward.Sample{{Prompt: "2+2=", Completion: "4"}, {Prompt: "2+2=", Completion: "certainly 5"}}
	for _, rule := range []ensemble.Rule{ensemble.Mean{}, ensemble.Worst{}, ensemble.Penalised{}} {
		e, err := ensemble.New("judges", rule, fooled("certainly"), fooled("indeed"), fooled("obviously"))
		if err != nil {
			fmt.Println(err)
			return
		}
		scores, err := e.ScoreSamples(context.Background(), samples)
		fmt.Println(rule.Name(), scores[0] > scores[1], err)
	}
	// Output:
	// mean false <nil>
	// worst true <nil>
	// penalised true <nil>
}
