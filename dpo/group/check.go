package group

import (
	"fmt"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/tensor"
)

// maxSize bounds groups.
const maxSize = 1 << 12

func checkSize(name string, got, least int) error {
	if got < least || got > maxSize {
		return fmt.Errorf("group: %s: got %d, want %d to %d", name, got, least, maxSize)
	}
	return nil
}

// require stops graph building on faulty sizes.
func require(l interface{ Validate() error }) {
	if err := l.Validate(); err != nil {
		tensor.Fail("%v", err)
	}
}

// checkSource wants whole groups of so many pairs.
func checkSource(l dpo.Loss, src dpo.StepSource, want kind, pairs int) error {
	b, ok := src.(*Batcher)
	switch {
	case !ok:
		return fmt.Errorf("group: loss %s: got a %T as source, want a group.Batcher, which keeps groups whole", l.Name(), src)
	case b.kind != want:
		return fmt.Errorf("group: loss %s: got a batcher of %s, want one of %s", l.Name(), b.kind, want)
	case b.Pairs() != pairs:
		return fmt.Errorf("group: loss %s: got a batcher of %d pairs a group, want %d", l.Name(), b.Pairs(), pairs)
	}
	return nil
}

var (
	_ dpo.Selective = MDPO{}
	_ dpo.Selective = MIPO{}
	_ dpo.Selective = PlackettLuce{}
)
