package train_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"math"
	"os"
	"path/filepath"

	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// halving is a Stage with one parameter x and the loss x²/2: a training that
// needs neither text nor model.
type halving struct {
	x     *tensor.Param
	steps int
}

func (s *halving) Name() string                  { return "halving" }
func (s *halving) Parameters() []train.Parameter { return []train.Parameter{s.x} }

func (s *halving) Next(_ context.Context, b *train.Batch) error {
	b.Weights = append(b.Weights, 1) // one micro-batch with one example
	b.Tokens, b.Epoch = 1, float64(s.steps)
	s.steps++
	return nil
}

func (s *halving) Backward(_ int, seed float64) error {
	s.x.Grad()[0] += float32(seed) * s.x.Data()[0]
	return nil
}

func (s *halving) Collect(m *train.Metrics) error {
	m.Set("loss", math.Pow(float64(s.x.Data()[0]), 2)/2)
	return nil
}

func (s *halving) State() (json.RawMessage, error)   { return json.Marshal(s.steps) }
func (s *halving) Restore(raw json.RawMessage) error { return json.Unmarshal(raw, &s.steps) }

func (s *halving) SaveWeights(dir string) error {
	raw, err := json.Marshal(s.x.Data())
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "x.json"), raw, 0o666)
}

func (s *halving) LoadWeights(dir string) error {
	raw, err := os.ReadFile(filepath.Join(dir, "x.json"))
	if err != nil {
		return err
	}
	defer s.x.Changed()
	data := s.x.Data()
	return json.Unmarshal(raw, &data)
}

func newHalving() *halving {
	x, err := tensor.NewParam("x", []float32{8}, 1)
	if err != nil {
		log.Fatal(err)
	}
	if err := x.SetTrainable(true); err != nil {
		log.Fatal(err)
	}
	return &halving{x: x}
}

func Example() {
	device := tensor.NewDevice(1)
	defer device.Close()
	s := newHalving()
	t, err := train.New(s, train.Options{
		Optimizer: train.AdamW{LR: 1},
		Schedule:  train.Linear{},
		MaxSteps:  8,
		Device:    device,
	})
	if err != nil {
		log.Fatal(err)
	}
	for step, err := range t.Steps(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		if step.N%4 == 0 {
			fmt.Printf("step %d: loss %.2f, gradient %.2f, rate %.3f\n", step.N, step.Loss, step.GradNorm, step.LR)
		}
	}
	// Output:
	// step 4: loss 14.45, gradient 5.38, rate 0.625
	// step 8: loss 6.57, gradient 3.62, rate 0.125
}
