package cli

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
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
	if !f.Full {
		n.Adapter, err = f.Attach(n.Headed())
	}
	return n, err
}

// LongestGroup is the length of the longest group of several lists in tokens.
func LongestGroup(lists ...[]reward.Group) int {
	n := 0
	for _, list := range lists {
		for _, g := range list {
			n = max(n, g.Len())
		}
	}
	return n
}

// WriteCalibration writes a page about the scores of a reward model to the run
// folder; without -out it does nothing.
func (f *Flags) WriteCalibration(title string, before, after reward.Calibration) error {
	if f.Out == "" {
		return nil
	}
	page, err := os.Create(filepath.Join(f.Out, "calibration.html"))
	if err != nil {
		return err
	}
	return errors.Join(reward.WriteCalibration(page, title, before, after), page.Close())
}
