package train

import (
	"context"
	"encoding/json"
	"io"
	"math"
	"path/filepath"
	"testing"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	trainerTolerance64 = 1e-12 // rates, epochs, gradients: a few float64 operations
	// The library's losses are float32 sums of small products.
	trainerTolerance32 = 1e-6
)

type trainerCase struct {
	ID      string
	Rows    int
	Options struct {
		Batch     int     `json:"per_device_train_batch_size"`
		Micro     int     `json:"gradient_accumulation_steps"`
		Epochs    float64 `json:"num_train_epochs"`
		MaxSteps  int     `json:"max_steps"`
		Warmup    float64 `json:"warmup_steps"`
		DropLast  bool    `json:"dataloader_drop_last"`
		Scheduler string  `json:"lr_scheduler_type"`
	}
	LearningRate float64   `json:"learning_rate"`
	GlobalStep   int       `json:"global_step"`
	FinalEpoch   float64   `json:"final_epoch"`
	LRUsed       []float64 `json:"lr_used"`
	GradUsed     []float64 `json:"grad_used"`
	Events       []struct {
		Epoch   float64
		LRAfter float64 `json:"lr_after"`
		Batches [][]float64
	}
	Logs []map[string]float64
}

// rowStage is the fixture's model: rows 1…n in order, loss = mean of w·x. It
// batches as the Hugging Face Trainer does: an accumulation never crosses an
// epoch, the last one may be short.
type rowStage struct {
	c       *trainerCase
	w       *toyParam
	batches [][]float64
	at      int // batches drawn in this epoch
	epoch   int
	micro   [][]float64
	loss    float64
}

func newRowStage(c *trainerCase) *rowStage {
	s := &rowStage{c: c, w: flatParam("w", []float64{0}, true)}
	for i := 0; i < c.Rows; i += c.Options.Batch {
		var batch []float64
		for x := i + 1; x <= min(i+c.Options.Batch, c.Rows); x++ {
			batch = append(batch, float64(x))
		}
		if len(batch) == c.Options.Batch || !c.Options.DropLast {
			s.batches = append(s.batches, batch)
		}
	}
	return s
}

func (s *rowStage) Name() string            { return "rows" }
func (s *rowStage) Parameters() []Parameter { return []Parameter{s.w} }

func (s *rowStage) CountSteps(epochs float64) (int, error) {
	perEpoch := math.Ceil(float64(len(s.batches)) / float64(s.c.Options.Micro))
	return int(math.Ceil(epochs * perEpoch)), nil
}

func (s *rowStage) Next(_ context.Context, b *Batch) error {
	if s.at == len(s.batches) {
		s.at = 0
		s.epoch++
	}
	s.micro = s.batches[s.at:min(s.at+s.c.Options.Micro, len(s.batches))]
	s.at += len(s.micro)
	s.loss = 0
	for _, m := range s.micro {
		b.Weights = append(b.Weights, float64(len(m)))
	}
	b.Epoch = float64(s.epoch) + float64(s.at)/float64(len(s.batches))
	return nil
}

func (s *rowStage) Backward(micro int, seed float64) error {
	for _, x := range s.micro[micro] {
		s.w.gr64[0] += seed * x
		s.loss += seed * x * s.w.data64[0]
	}
	return nil
}

func (s *rowStage) Collect(m *Metrics) error        { m.Set("loss", s.loss); return nil }
func (s *rowStage) State() (json.RawMessage, error) { return nil, io.ErrUnexpectedEOF }
func (s *rowStage) Restore(json.RawMessage) error   { return io.ErrUnexpectedEOF }
func (s *rowStage) SaveWeights(string) error        { return io.ErrUnexpectedEOF }
func (s *rowStage) LoadWeights(string) error        { return io.ErrUnexpectedEOF }

// descent is plain SGD, the fixture's rule, as a user would add one.
type descent struct{ LR float64 }

func (descent) Name() string                        { return "descent" }
func (o descent) BaseLR() float64                   { return o.LR }
func (descent) Validate() error                     { return nil }
func (descent) Start(slots []Slot) (Updater, error) { return descending{slots}, nil }

type descending struct{ slots []Slot }

func (d descending) Update(_ int, lr, gradScale float64) {
	for _, s := range d.slots {
		p := s.Param.(Parameter64)
		for i, g := range p.Grad64() {
			p.Data64()[i] -= lr * gradScale * g
		}
		p.Changed()
	}
}
func (descending) State() []StateTensor { return nil }

func (c *trainerCase) options() Options {
	warmup := Warmup{Steps: int(c.Options.Warmup)}
	if c.Options.Warmup < 1 { // the library reads it as a share then
		warmup = Warmup{Ratio: c.Options.Warmup}
	}
	o := Options{
		Optimizer: descent{c.LearningRate}, Schedule: Linear{warmup}, MaxGradNorm: new(0.0),
		Denominator: PerMicroBatch, MaxSteps: c.Options.MaxSteps, Epochs: c.Options.Epochs,
	}
	if c.Options.Scheduler == "cosine" {
		o.Schedule = Cosine{Warmup: warmup}
	}
	return o
}

// TestOracleTrainerSteps replays the Hugging Face Trainer's counting. Its toy
// model takes no num_items_in_batch, so its gradients are means of micro-batch
// means: PerMicroBatch. Deviation: the trainer logs once more at the end, which
// is our result event.
func TestOracleTrainerSteps(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "optim") {
		var file struct{ Cases []trainerCase }
		oracle.ReadJSON(t, filepath.Join(root, "trainer_steps.json"), &file)
		for _, c := range file.Cases {
			t.Run(c.ID, func(t *testing.T) {
				if c.Options.Micro == 0 {
					c.Options.Micro = 1
				}
				s := newRowStage(&c)
				tr := newTrainer(t, s, c.options())
				require.NoError(t, tr.Train(context.Background(), Hooks{Step: func(step Step) error {
					i := step.N - 1
					require.Less(t, i, len(c.LRUsed))
					assert.InDelta(t, c.LRUsed[i], step.LR, trainerTolerance64)
					assert.InDelta(t, c.GradUsed[i], step.GradNorm, trainerTolerance64)
					assert.InDelta(t, c.Events[i].Epoch, step.Epoch, trainerTolerance64)
					assert.Equal(t, c.Events[i].Batches, s.micro)
					assert.InDelta(t, c.Events[i].LRAfter, tr.rate(), trainerTolerance64)
					assert.InDelta(t, c.Logs[i]["loss"], step.Loss, trainerTolerance32)
					assert.Equal(t, c.Logs[i]["step"], float64(step.N))
					return nil
				}}))
				assert.Equal(t, c.GlobalStep, tr.Step())
				assert.InDelta(t, c.FinalEpoch, tr.progress.Epoch, trainerTolerance64)
				assert.Equal(t, c.GlobalStep, tr.TotalSteps())
			})
			tally.Compared(1)
		}
	}
}
