package problems

import (
	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/lora"
)

// Adapter is the one in -adapter, or a fresh one.
func Adapter(f *cli.Flags, m model.Model) (*lora.Adapter, error) {
	if f.Adapter == "" {
		return lora.Attach(m, "default", lora.Config{Rank: f.Rank, Alpha: 2 * float64(f.Rank), Seed: f.Seed})
	}
	a, err := lora.Load(m, "default", f.Adapter)
	if err != nil {
		return nil, err
	}
	return a, a.SetTrainable(true)
}
