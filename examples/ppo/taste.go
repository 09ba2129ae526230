package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/examples/internal/problems"
	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// taste is the learned reward: a model of its own that says how likely it is that an
// answer is right, in (0, 1).
type taste struct {
	from    *auto.Checkpoint
	net     reward.Net
	model   *reward.Model
	trained bool // here, and not read from a folder
}

// Name implements rollout.Rewarder.
func (t *taste) Name() string { return "model" }

// Rewards implements rollout.Rewarder. An answer without a token is worth nothing.
func (t *taste) Rewards(ctx context.Context, list []rollout.Completion) ([]float64, error) {
	texts := make([]reward.Text, len(list))
	for i := range list {
		texts[i] = reward.Text{Prompt: list[i].Prompt.IDs, Completion: list[i].IDs()}
	}
	scores, err := t.model.Score(ctx, texts)
	for i := range scores {
		if scores[i] = probability(scores[i]); len(list[i].Tokens) == 0 {
			scores[i] = 0
		}
	}
	return scores, err
}

// probability is that of log-odds.
func probability(logOdds float64) float64 { return 1 / (1 + math.Exp(-logOdds)) }

// openTaste opens the reward model that flags name or that the run has left, or trains
// one.
func openTaste(ctx context.Context, out *cli.Progress, c *auto.Checkpoint, set *problems.Set) (*taste, error) {
	folder := *rewardModel
	if _, err := os.Stat(rewardFolder()); folder == "" && flags.Resume && err == nil {
		folder = rewardFolder()
	}
	t, err := emptyTaste(folder)
	if err != nil {
		return nil, err
	}
	if t.trained = folder == ""; t.trained {
		if err := t.learn(ctx, out, c, set); err != nil {
			return nil, err
		}
	}
	t.model, err = reward.NewModel(t.net, reward.ModelOptions{Name: "model", Tokens: max(flags.BatchTokens, set.Longest+set.MaxTokens), Rows: 512, Encoder: t.from.Tokenizer, EOS: eos(t.from), Device: flags.Device()})
	return t, err
}

// emptyTaste opens a reward model in a folder, an adapter of one, or with "" the model
// of -model with a fresh head: all weights of the embedded model learn, else an
// adapter.
func emptyTaste(folder string) (*taste, error) {
	f, path := flags, flags.Model
	f.Adapter = ""
	_, err := os.Stat(filepath.Join(folder, "adapter_config.json"))
	switch {
	case folder != "" && err == nil:
		f.Adapter, f.Full = folder, false
	case folder != "":
		path, f.Full = folder, true
	default:
		f.Full = f.Full || f.Model == ""
	}
	var o auto.Options
	if f.Full {
		o.Weights = tensor.Float32
	}
	c, err := cli.OpenModel(path, o)
	if err != nil {
		return nil, err
	}
	net, err := f.Net(c, model.SequenceClassification, nil)
	return &taste{from: c, net: net}, err
}

// eos is the text that ends an answer.
func eos(c *auto.Checkpoint) string {
	_, text, _ := c.Tokenizer.EOS()
	return text
}

// learn trains the reward model on answers of the policy that the rule has judged, and
// on right ones from the data.
func (t *taste) learn(ctx context.Context, out *cli.Progress, c *auto.Checkpoint, set *problems.Set) error {
	groups, err := judge(ctx, c, set)
	if err != nil {
		return err
	}
	held := len(groups) / 10
	batches := func(groups []reward.Group, o reward.BatchOptions) (*reward.Batcher, error) {
		o.TokensPerMicro, o.Seed = max(flags.BatchTokens, 9*(set.Longest+set.MaxTokens)), flags.Seed
		return reward.NewBatcher(groups, o)
	}
	src, err := batches(groups[held:], reward.BatchOptions{GroupsPerStep: 64})
	if err != nil {
		return err
	}
	o := reward.Options{Loss: reward.Outcome{}, Device: flags.Device()}
	if held > 0 {
		if o.EvalData, err = batches(groups[:held], reward.BatchOptions{GroupsPerStep: 64, Epochs: 1, Sequential: true}); err != nil {
			return err
		}
	}
	tr, err := reward.New(t.net, src, o, train.Options{Optimizer: train.AdamW{LR: 1e-3}, Schedule: train.Linear{Warmup: train.Warmup{Steps: 10}}, MaxSteps: *rewardSteps})
	if err != nil {
		return err
	}
	out.Say("reward model: %d problems whose answers were judged, %d of them held out", len(groups), held)
	out.Expect(*rewardSteps)
	err = tr.Train(ctx, train.Hooks{Event: func(e train.Event) error {
		if flags.JSON {
			return nil // the lines are those of the policy
		}
		return out.Event(e)
	}})
	if err != nil {
		return fmt.Errorf("reward model: %w", err)
	}
	if _, after, ok := tr.Calibration(); ok {
		out.Say("reward model: %v", after)
	}
	return nil
}

// judge samples answers to problems and makes groups of those that differ, each with
// the right answer of the data among them: 1 for right and 0 for wrong.
func judge(ctx context.Context, c *auto.Checkpoint, set *problems.Set) ([]reward.Group, error) {
	sampler := rollout.FromModel(set.Generator(), generate.Options{MaxTokens: set.MaxTokens, Temperature: 1})
	src, err := rollout.New(set.Prompts, sampler, []rollout.Reward{{By: set.Verifier}}, rollout.Options{Prompts: min(*judged, len(set.Prompts)), Completions: 4, Seed: flags.Seed ^ 0x9e3779b9})
	if err != nil {
		return nil, err
	}
	roll, err := src.Next(ctx, 0)
	if err != nil {
		return nil, err
	}
	var groups []reward.Group
	for i, x := range roll.Completions {
		if i == 0 || x.Group != roll.Completions[i-1].Group {
			right := c.Tokenizer.AppendIDs(nil, x.Prompt.Reference+eos(c), false)
			groups = append(groups, reward.Group{Prompt: x.Prompt.IDs, Labelled: true, At: x.Prompt.At, Answers: []reward.Candidate{{IDs: right, Label: 1}}})
		}
		g := &groups[len(groups)-1]
		known := slices.ContainsFunc(g.Answers, func(a reward.Candidate) bool { return slices.Equal(a.IDs, x.IDs()) })
		if known || len(x.Tokens) == 0 || math.IsNaN(x.Reward) {
			continue
		}
		label := 0.0
		if x.Reward > 0 {
			label = 1
		}
		g.Answers = append(g.Answers, reward.Candidate{IDs: x.IDs(), Label: label})
		slices.SortStableFunc(g.Answers, func(a, b reward.Candidate) int { return int(b.Label - a.Label) })
	}
	return groups, nil
}

// save keeps a reward model that was trained here in the run folder.
func (t *taste) save() error {
	if flags.Out == "" || !t.trained {
		return nil
	}
	if t.net.Adapter != nil {
		if err := os.MkdirAll(rewardFolder(), 0o755); err != nil {
			return err
		}
		return t.net.Adapter.Save(rewardFolder(), flags.Model)
	}
	return auto.Save(rewardFolder(), t.from, auto.SaveOptions{})
}
