package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"

	"github.com/posttrain/posttrain/data/chat"
	"github.com/posttrain/posttrain/tensor"
)

// Flags are the settings that examples share. Their JSON form is compared when a
// run is resumed; fields without a name may change.
type Flags struct {
	Model       string  `json:"model"`
	Adapter     string  `json:"adapter,omitempty"`
	Data        string  `json:"data"`
	Limit       int     `json:"limit,omitempty"`
	EvalData    string  `json:"eval_data,omitempty"`
	EvalLimit   int     `json:"eval_limit,omitempty"`
	Out         string  `json:"-"`
	Resume      bool    `json:"-"`
	Full        bool    `json:"full,omitempty"`
	Rank        int     `json:"rank"`
	Steps       int     `json:"steps"`
	BatchTokens int     `json:"batch_tokens"`
	MaxLength   int     `json:"max_length"`
	LR          float64 `json:"lr"`
	Seed        uint64  `json:"seed"`
	SaveEvery   int     `json:"-"`
	EvalEvery   int     `json:"eval_every,omitempty"`
	Threads     int     `json:"-"`
	JSON        bool    `json:"-"`
	Template    string  `json:"template,omitempty"`

	device *tensor.Device
}

// Register declares the flags with the values of f as defaults.
func (f *Flags) Register(fs *flag.FlagSet) {
	fs.StringVar(&f.Model, "model", f.Model, "Hugging Face `folder` or .gguf file; empty for the embedded tiny model")
	fs.StringVar(&f.Adapter, "adapter", f.Adapter, "PEFT `folder` of an adapter to start from")
	fs.StringVar(&f.Data, "data", f.Data, "training rows: JSON, JSONL, CSV, TSV (also .gz or .zst) or Parquet `file`, a folder or a pattern; empty for embedded ones")
	fs.IntVar(&f.Limit, "limit", f.Limit, "use at most so many training rows; 0 for all")
	fs.StringVar(&f.EvalData, "eval-data", f.EvalData, "evaluation rows; empty holds out a share of -data")
	fs.IntVar(&f.EvalLimit, "eval-limit", f.EvalLimit, "use at most so many evaluation rows; 0 for all")
	fs.StringVar(&f.Out, "out", f.Out, "run `folder`; empty keeps nothing")
	fs.BoolVar(&f.Resume, "resume", f.Resume, "go on with the run in -out")
	fs.BoolVar(&f.Full, "full", f.Full, "train all weights instead of an adapter")
	fs.IntVar(&f.Rank, "rank", f.Rank, "rank of the adapter, which sits on all linear layers")
	fs.IntVar(&f.Steps, "steps", f.Steps, "optimizer steps")
	fs.IntVar(&f.BatchTokens, "batch-tokens", f.BatchTokens, "real tokens an optimizer step")
	fs.IntVar(&f.MaxLength, "max-length", f.MaxLength, "longer rows are cut at the end; those left without a target are dropped and counted")
	fs.Float64Var(&f.LR, "lr", f.LR, "learning rate; 0 for 2e-4 with an adapter, 2e-5 without")
	fs.Uint64Var(&f.Seed, "seed", f.Seed, "of everything random")
	fs.IntVar(&f.SaveEvery, "save-every", f.SaveEvery, "steps between checkpoints")
	fs.IntVar(&f.EvalEvery, "eval-every", f.EvalEvery, "steps between evaluations; 0 for before and after only")
	fs.IntVar(&f.Threads, "threads", f.Threads, "cores to use; 0 for all; results do not depend on it")
	fs.BoolVar(&f.JSON, "json", f.JSON, "print one JSON object a line and nothing else")
	fs.StringVar(&f.Template, "template", f.Template, "chat template for a model that has none: "+strings.Join(chat.Builtins(), ", "))
}

// Validate reports every value that makes no sense.
func (f *Flags) Validate() error {
	var faults []error
	for _, c := range []struct {
		name string
		n    int
		low  int
	}{{"limit", f.Limit, 0}, {"eval-limit", f.EvalLimit, 0}, {"rank", f.Rank, 1}, {"steps", f.Steps, 1}, {"batch-tokens", f.BatchTokens, 1},
		{"max-length", f.MaxLength, 2}, {"save-every", f.SaveEvery, 0}, {"eval-every", f.EvalEvery, 0}, {"threads", f.Threads, 0}} {
		if c.n < c.low {
			faults = append(faults, fmt.Errorf("-%s: got %d, want at least %d", c.name, c.n, c.low))
		}
	}
	if !(f.LR >= 0) {
		faults = append(faults, fmt.Errorf("-lr: got %g, want at least 0", f.LR))
	}
	if f.Resume && f.Out == "" {
		faults = append(faults, errors.New("-resume: got no -out, want the folder of the run"))
	}
	return errors.Join(faults...)
}

// LearningRate is -lr with its default filled in.
func (f *Flags) LearningRate() float64 {
	switch {
	case f.LR > 0:
		return f.LR
	case f.Full:
		return 2e-5
	}
	return 2e-4
}

// Device is the CPU with as many cores as -threads says.
func (f *Flags) Device() *tensor.Device {
	if f.device == nil && f.Threads > 0 {
		f.device = tensor.NewDevice(f.Threads)
	}
	if f.device == nil {
		f.device = tensor.DefaultDevice()
	}
	return f.device
}

// Main registers the flags and runs f as Run does, once their values make sense.
func Main(f *Flags, about string, run func(ctx context.Context) error) {
	f.Register(flag.CommandLine)
	Run(about, f.Checked(run))
}

// Checked is run once the values of the flags make sense.
func (f *Flags) Checked(run func(ctx context.Context) error) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		if err := f.Validate(); err != nil {
			return err
		}
		return run(ctx)
	}
}
