package feedback_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/posttrain/posttrain/dpo/online"
	"github.com/posttrain/posttrain/rlhf/feedback"
)

// Example lets a judge that likes short answers, and a little whatever comes first,
// label two answers.
func Example() {
	judge := feedback.JudgeFunc("brevity", func(_ context.Context, duels []feedback.Duel) ([]float64, error) {
		p := make([]float64, len(duels))
		for i, d := range duels {
			if p[i] = 0.2; len(d.First) < len(d.Second) {
				p[i] = 0.9
			}
		}
		return p, nil
	})
	cases := []feedback.Case{{Prompt: "2+2=", Answers: []string{"It is 4.", "4"}}}
	list, stats, err := feedback.Label(context.Background(), judge, cases, feedback.LabelOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%q over %q: %.2f, place bias %.2f\n", list[0].Chosen, list[0].Rejected, list[0].P, stats.PlaceBias())
	// Output: "4" over "It is 4.": 0.85, place bias 0.05
}

// ExampleJudgeFunc makes a Judge of a Comparer of package dpo/online, such as the
// language model of online.NewReader.
func ExampleJudgeFunc() {
	var reader online.Comparer = func(_ context.Context, duels []online.Duel) ([]float64, error) {
		p := make([]float64, len(duels))
		for i, d := range duels {
			p[i] = float64(strings.Count(d.First.Text, "please")) / 2
		}
		return p, nil
	}
	judge := feedback.JudgeFunc("reader", func(ctx context.Context, duels []feedback.Duel) ([]float64, error) {
		shown := make([]online.Duel, len(duels))
		for i, d := range duels {
			shown[i] = online.Duel{Question: online.Question{Text: d.Prompt, Reference: d.Reference}, First: online.Answer{Text: d.First}, Second: online.Answer{Text: d.Second}}
		}
		return reader(ctx, shown)
	})
	opinions, err := feedback.BothOrders(context.Background(), judge, []feedback.Duel{{Prompt: "Ask.", First: "Come, please, please.", Second: "Come."}})
	fmt.Println(opinions[0].First, err)
	// Output: 1 <nil>
}
