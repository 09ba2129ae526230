package prefs

import (
	"context"
	"fmt"
	"strings"

	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/train"
)

// Trainer is a run that is ready.
type Trainer interface {
	cli.Trainer
	TotalSteps() int
}

// Run trains to the end, prints progress, and at the end what changed between the
// first and the last evaluation. An interrupted run with -out is saved.
func Run(ctx context.Context, f *cli.Flags, t Trainer, out *cli.Progress) error {
	var c changes
	out.Expect(t.TotalSteps())
	err := f.Train(ctx, t, func(e train.Event) error {
		c.see(e)
		return out.Event(e)
	})
	if err == nil {
		out.Say("\n%s", c.String())
	}
	return err
}

// changes are the first and the last evaluation.
type changes struct {
	names       []string
	first, last map[string]float64
}

func (c *changes) see(e train.Event) {
	if e.Kind != train.EventEval {
		return
	}
	c.last = map[string]float64{}
	for name, v := range e.Metrics.All() {
		c.last[name] = v
		if c.first == nil {
			c.names = append(c.names, name)
		}
	}
	if c.first == nil {
		c.first = c.last
	}
}

// String is a table.
func (c *changes) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%-28s %12s %12s\n", "held-out rows", "before", "after")
	for _, name := range c.names {
		if after, ok := c.last[name]; ok {
			fmt.Fprintf(&s, "%-28s %12.4g %12.4g\n", strings.TrimPrefix(name, "eval_"), c.first[name], after)
		}
	}
	return s.String()
}
