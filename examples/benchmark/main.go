// Benchmark measures training and inference on this machine, with random weights
// in the shape of a published model or with a checkpoint, and prints one result
// line. It needs no files:
//
//	go run ./examples/benchmark -task sft -shape smollm2-135m -json
//
// Compare only figures of one machine and one sitting. Speeds count real tokens
// (prompt and completion) of warm steps and are medians.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/posttrain/posttrain/examples/internal/shapes"
)

// settings are the command line.
type settings struct {
	task, shape, model, dtype string
	text                      string
	mapped                    bool
	steps, warm, batchTokens  int
	microTokens, threads      int
	full, recompute, json     bool
	rank, sequences, pairs    int
	seed                      uint64
	profile, separate         bool
}

// result is the line that is printed at the end.
type result struct {
	Event           string             `json:"event"`
	Task            string             `json:"task"`
	Shape           string             `json:"shape"`
	Dtype           string             `json:"dtype"`
	ISA             string             `json:"isa"`
	Threads         int                `json:"threads"`
	TokensPerSecond float64            `json:"tokens_per_second,omitempty"`
	StepSeconds     float64            `json:"step_seconds,omitempty"`
	PeakRSSMiB      float64            `json:"peak_rss_mib"`
	StartupSeconds  float64            `json:"startup_seconds,omitempty"`
	BeforeKernel    float64            `json:"before_first_kernel_seconds,omitempty"`
	FirstStep       float64            `json:"first_step_seconds,omitempty"`
	Extra           map[string]float64 `json:"extra,omitempty"`
}

// tasks maps the names of -task to what runs.
var tasks = map[string]func(context.Context, *settings, *result) error{
	"sft":      measureSFT,
	"dpo":      measureDPO,
	"reward":   measureReward,
	"grpo":     measureGRPO,
	"score":    measureScore,
	"generate": measureGenerate,
	"gemm":     measureGEMM,
	"tokenize": measureTokenize,
	"load":     measureLoad,
}

func main() {
	var s settings
	names := make([]string, 0, len(tasks))
	for n := range tasks {
		names = append(names, n)
	}
	slices.Sort(names)
	flag.StringVar(&s.task, "task", "sft", "what to measure: "+strings.Join(names, ", "))
	flag.StringVar(&s.shape, "shape", "smollm2-135m", "random weights in the shape of "+strings.Join(shapes.Names(), ", "))
	flag.StringVar(&s.model, "model", "", "measure this folder or .gguf file instead of a shape")
	flag.StringVar(&s.dtype, "dtype", "float32", "storage of the weights: float32, bfloat16 or float16 (computation is in float32)")
	flag.IntVar(&s.steps, "steps", 5, "timed repetitions")
	flag.IntVar(&s.warm, "warm", 1, "repetitions before the clock starts")
	flag.IntVar(&s.batchTokens, "batch-tokens", 2048, "real tokens an optimizer step")
	flag.IntVar(&s.microTokens, "micro-tokens", 512, "largest micro-batch in tokens")
	flag.IntVar(&s.threads, "threads", 0, "cores to use; 0 is all")
	flag.IntVar(&s.rank, "rank", 16, "rank of the adapter on all linear layers")
	flag.IntVar(&s.sequences, "sequences", 1, "texts decoded at once (task generate)")
	flag.IntVar(&s.pairs, "pairs", 4, "comparisons an optimizer step (tasks dpo and reward)")
	flag.BoolVar(&s.separate, "separate", false, "compute the prompt of a comparison before each answer instead of sharing it (tasks dpo and reward)")
	flag.StringVar(&s.text, "text", "", "file to encode (task tokenize)")
	flag.BoolVar(&s.mapped, "mapped", false, "map the weights instead of copying them (task load)")
	flag.BoolVar(&s.full, "full", false, "train all weights instead of an adapter")
	flag.BoolVar(&s.recompute, "recompute", false, "compute activations again instead of keeping them")
	flag.BoolVar(&s.profile, "profile", false, "print where the time of a step goes, by op, and the memory, to stderr")
	flag.BoolVar(&s.json, "json", false, "one JSON object a line")
	flag.Uint64Var(&s.seed, "seed", 42, "of weights, data and adapters")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, &s); err != nil {
		fmt.Fprintln(os.Stderr, "benchmark:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s *settings) error {
	task, ok := tasks[s.task]
	if !ok {
		return fmt.Errorf("-task: got %q", s.task)
	}
	r := result{Event: "result", Task: s.task, Shape: s.shape, Dtype: s.dtype, Threads: s.device().Threads()}
	if s.model != "" {
		r.Shape = s.model
	}
	if err := task(ctx, s, &r); err != nil {
		return err
	}
	r.ISA, r.PeakRSSMiB = isa(), peakRSS()
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if s.json {
		fmt.Println(string(line))
		return nil
	}
	return table(os.Stdout, line)
}

// clock times repetitions.
type clock struct {
	began   time.Time
	seconds []float64
	rates   []float64 // tokens a second
}

func (c *clock) start() { c.began = time.Now() }

func (c *clock) stop(tokens int) {
	d := time.Since(c.began).Seconds()
	c.seconds, c.rates = append(c.seconds, d), append(c.rates, float64(tokens)/d)
}

// median of a list that is not empty.
func median(x []float64) float64 {
	s := slices.Sorted(slices.Values(x))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}
