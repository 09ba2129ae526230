package cli

import (
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/reward"
)

// Net is the reward model to train: c with the head of its folder, or with a fresh
// one of that kind, and unless -full is set with the adapter of -adapter or a
// fresh one. The head is c's then, too, so that auto.Save writes it.
func (f *Flags) Net(c *auto.Checkpoint, kind model.HeadKind, labels []string) (n reward.Net, err error) {
	if c.Head == nil {
		if c.Head, err = model.NewHead(c.Model, kind, labels, f.Seed); err != nil {
			return n, err
		}
	}
	n = reward.Net{Model: c.Model, Head: c.Head}
	switch {
	case f.Full:
	case f.Adapter == "":
		n.Adapter, err = lora.Attach(n.Headed(), "default", lora.Config{Rank: f.Rank, Alpha: 2 * float64(f.Rank), Seed: f.Seed})
	default:
		if n.Adapter, err = lora.Load(n.Headed(), "default", f.Adapter); err == nil {
			err = n.Adapter.SetTrainable(true)
		}
	}
	return n, err
}
