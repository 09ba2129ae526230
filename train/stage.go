package train

import (
	"context"
	"encoding/json"
)

// Stage is what a kind of training gives the loop. The loop calls Next, then
// Backward once for every micro-batch in order, then Collect, and moves the
// weights. All calls come from one goroutine.
type Stage interface {
	// Name is the kind of training, for example "sft".
	Name() string
	// Parameters lists what is trained, in a stable order, with accumulators.
	Parameters() []Parameter
	// Next draws the micro-batches of the next optimizer step and describes
	// them. It returns io.EOF when there is no further step. When ctx ends it
	// returns an error that wraps ctx.Err() and has drawn nothing.
	Next(ctx context.Context, b *Batch) error
	// Backward adds seed·∂(Σ loss·weight)/∂p of micro-batch number micro to
	// the accumulators.
	Backward(micro int, seed float64) error
	// Collect adds the metrics of the step whose gradients are complete,
	// before the weights move. "loss" is required.
	Collect(m *Metrics) error
	// State is the position in the data and of every random stream after the
	// steps so far: what Restore needs to go on as if nothing had happened.
	State() (json.RawMessage, error)
	// Restore goes back to a position.
	Restore(state json.RawMessage) error
	// SaveWeights writes what is learned, an adapter or a model, into an
	// existing empty folder.
	SaveWeights(dir string) error
	// LoadWeights restores from such a folder, bit for bit.
	LoadWeights(dir string) error
}

// Batch describes the micro-batches of one optimizer step. The loop passes the
// same one every time; a Stage reuses its slice.
type Batch struct {
	// Weights is the sum of loss weights of each micro-batch: the number of
	// target tokens, or of examples, as the loss counts.
	Weights []float64
	// Tokens is the number of real tokens of the step.
	Tokens int
	// Epoch is how many passes over the data are done after this step.
	Epoch float64
}

// StepCounter is a Stage that knows the length of the run beforehand. It is
// asked when Options.MaxSteps is 0.
type StepCounter interface {
	// CountSteps is the number of optimizer steps in the given number of
	// passes over the data.
	CountSteps(epochs float64) (int, error)
}

// Exporter is a Stage whose result differs from its checkpoints, for example by
// a tokenizer beside the weights. Without it SaveWeights writes the result too.
type Exporter interface {
	// Export writes the result of the run into an existing empty folder.
	Export(dir string) error
}

// Timed is a Stage that knows what its steps spend their time on.
type Timed interface {
	// Timing adds measured times to those of a step that has been taken. Their names
	// are among those that IsTiming knows.
	Timing(m *Metrics)
}

// Concluder is a Stage that may end a run before its time.
type Concluder interface {
	// Conclusion says why it has; "" when it has not. It stands in the result and
	// in run.json as "stopped".
	Conclusion() string
}

// Evaluator measures the policy as it stands.
type Evaluator interface {
	// Evaluate adds metrics without prefix; they are logged as eval_NAME. It
	// must not change what is trained, nor any state that training reads.
	Evaluate(ctx context.Context, m *Metrics) error
}

// Sampler lets the policy write, so that people see what it learns.
type Sampler interface {
	// Sample returns a few completions. Like Evaluate it must leave training
	// as it was, and give the same samples for the same weights and step.
	Sample(ctx context.Context) ([]Sample, error)
}

// Sample is one line of samples.jsonl.
type Sample struct {
	Prompt     string `json:"prompt"`
	Completion string `json:"completion"`
	// Reference is the completion that was hoped for, if there is one.
	Reference string `json:"reference,omitempty"`
	// Finish says why it ended: "stop", "length".
	Finish string `json:"finish,omitempty"`
	// Scores are finite measurements of this sample by name.
	Scores map[string]float64 `json:"scores,omitempty"`
}
