// Hacking shows what optimising against learned rewards does to the true one, without
// any language model: the best of n answers, and policies that move ever further from
// where they began, both against one reward model, against several, and with guards.
// It writes one page of HTML with the curves, and prints their peaks.
//
//	go run ./examples/hacking -out hacking.html
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"

	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/reward/ensemble"
	"github.com/posttrain/posttrain/rlhf/guard"
)

var (
	out    = flag.String("out", "hacking.html", "`file` of the page")
	seed   = flag.Uint64("seed", 42, "of everything random")
	most   = flag.Int("n", 1024, "answers that the best is chosen of, at most")
	trials = flag.Int("trials", 400, "times it is chosen")
	asJSON = flag.Bool("json", false, "print one JSON object a line and nothing else")
)

func main() {
	cli.Run("Hacking shows what optimising against learned rewards does to the true one.", run)
}

func run(ctx context.Context) error {
	if *most < 1 || *trials < 1 {
		return fmt.Errorf("-n and -trials: got %d and %d, want at least 1", *most, *trials)
	}
	chosen := ensemble.Chart{
		Title: "The best of n answers", Curves: bestOf(rand.New(rand.NewPCG(*seed, 1)), *most, *trials),
		Note: "Two answers in a hundred are hacks that fool each of five reward models four times in ten. One model prefers them once n is large; the mean of all does so later; the worst and the variance-penalised mean hardly do. KL of the best of n: ln n − (n−1)/n.",
	}
	learnt, stops := learning(*seed)
	var page bytes.Buffer
	if err := ensemble.WriteCharts(&page, "Reward hacking: gold and proxy reward over the distance", []ensemble.Chart{chosen, learnt}); err != nil {
		return err
	}
	if err := os.WriteFile(*out, page.Bytes(), 0o644); err != nil {
		return err
	}
	for _, chart := range []ensemble.Chart{chosen, learnt} {
		for _, c := range chart.Curves {
			if err := tell(chart.Title, c); err != nil {
				return err
			}
		}
	}
	if *asJSON {
		return cli.Line("result", stops)
	}
	fmt.Printf("\nA pilot's fitted peak stops the next run at √KL %.2f: gold %.2f, %.0f %% of the best it could have been.\nThe page is %s.\n", stops.Stop, stops.Gold, 100*stops.Share, *out)
	return nil
}

// stopped is what a KL budget from a pilot run brings.
type stopped struct {
	Peak  float64 `json:"pilot_peak"`    // √KL at which the pilot's fit is best
	RMSE  float64 `json:"pilot_rmse"`    // of the fit
	Stop  float64 `json:"stop_distance"` // √KL at which the next run was stopped
	Gold  float64 `json:"stop_gold"`
	Share float64 `json:"share_of_best"`
}

// learning raises scores on a bandit, and stops a run by the budget of a pilot on
// another one.
func learning(seed uint64) (ensemble.Chart, stopped) {
	never := func(float64) bool { return false }
	one := byRule()[0]
	pilot := newBandit(rand.New(rand.NewPCG(seed, 2)))
	_, start, _ := pilot.tilt(one, math.Inf(1))
	var d, gain []float64
	p := pilot.optimise(one, never)
	for i, x := range p.Distance {
		if x*x < 2 { // what a careful pilot goes through
			d, gain = append(d, x), append(gain, p.Gold[i]-start)
		}
	}
	fit := guard.FitBestOfN(d, gain)
	budget := guard.KLBudget("kl", fit.Peak())

	b := newBandit(rand.New(rand.NewPCG(seed, 3)))
	var chart ensemble.Chart
	for _, s := range byRule() {
		chart.Curves = append(chart.Curves, b.optimise(s, never))
	}
	free := chart.Curves[0]
	one.name = "one model, KL budget of a pilot"
	held := b.optimise(one, func(distance float64) bool {
		return budget.Observe(guard.Values{"kl": distance * distance}) != ""
	})
	chart.Curves = append(chart.Curves, held)
	chart.Title = "Learning on a bandit"
	chart.Note = fmt.Sprintf("Exact optima of reward − β·KL over 200 answers, as β sinks. Three rare ones are overrated by the first model. A pilot on another bandit, fitted with d·(α − β·d), has its peak at √KL %.2f (RMSE %.3f), which is the budget of the run that ends there.", fit.Peak(), fit.RMSE)
	last := len(held.Gold) - 1
	return chart, stopped{fit.Peak(), fit.RMSE, held.Distance[last], held.Gold[last], held.Gold[last] / free.Gold[free.Peak()]}
}

// tell prints the peak of a curve.
func tell(chart string, c ensemble.Curve) error {
	p, last := c.Peak(), len(c.Gold)-1
	if *asJSON {
		return cli.Line("curve", struct {
			Chart    string  `json:"chart"`
			Score    string  `json:"score"`
			Peak     float64 `json:"peak_distance"`
			PeakGold float64 `json:"peak_gold"`
			EndGold  float64 `json:"end_gold"`
			EndProxy float64 `json:"end_proxy"`
		}{chart, c.Name, c.Distance[p], c.Gold[p], c.Gold[last], c.Proxy[last]})
	}
	fmt.Printf("%-24s %-32s gold best %5.2f at √KL %.2f, at the end %5.2f; proxy %5.2f\n", chart, c.Name, c.Gold[p], c.Distance[p], c.Gold[last], c.Proxy[last])
	return nil
}
