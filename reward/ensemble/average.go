package ensemble

import (
	"errors"
	"fmt"
	"iter"

	"github.com/posttrain/posttrain/model/blend"
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/tensor"
)

// Average sets what is trained of dst to the mean of the members': weight-averaged
// reward models, WARM. Members are trained from one start, each with its own order
// of the data, rate or seed of dropout; the merged model costs one forward pass, and
// forgets what single members learnt by heart. dst may be a member, and is saved as
// any model is (auto.Save, or its adapter's Save).
//
// With adapters, the adapters and their heads are averaged; the mean of two low-rank
// products is not the product of the means, so members should share their start.
//
// Ramé et al. 2024, "WARM: On the Benefits of Weight Averaged Reward Models",
// arXiv:2401.12187.
func Average(dst reward.Net, members ...reward.Net) error {
	if len(members) == 0 {
		return errors.New("ensemble: Average: got no members, want at least one")
	}
	into, err := trained(dst)
	if err != nil {
		return fmt.Errorf("ensemble: Average: destination: %w", err)
	}
	var sets []blend.Set
	for i, m := range members {
		if (m.Adapter == nil) != (dst.Adapter == nil) {
			return fmt.Errorf("ensemble: Average: member %d: got an adapter %t, want %t as the destination has", i, m.Adapter != nil, dst.Adapter != nil)
		}
		set, err := trained(m)
		if err != nil {
			return fmt.Errorf("ensemble: Average: member %d: %w", i, err)
		}
		sets = append(sets, set)
	}
	return blend.Weights(into, nil, sets, blend.Linear{})
}

// trained lists what training changes.
func trained(n reward.Net) (iter.Seq2[string, *tensor.Param], error) {
	switch {
	case n.Model == nil || n.Head == nil:
		return nil, errors.New("got no Model or no Head, want both")
	case n.Adapter != nil:
		return n.Adapter.Params(), nil
	}
	return n.Headed().Params(), nil
}
