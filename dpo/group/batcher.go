package group

import (
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/internal/policy"
)

// BatchOptions steer the batchers. The zero value is endless, shuffled, 4 groups a
// step, and shares prompts.
type BatchOptions struct {
	// GroupsPerStep is the number of groups, or rankings, of an optimizer step; 0
	// means 4.
	GroupsPerStep int
	// TokensPerMicro is the capacity of a micro-batch; the longest group must fit.
	// 0 means 2048 or the longest group, whichever is more.
	TokensPerMicro int
	// Separate computes the prompt once before each answer, as
	// dpo.BatchOptions.Separate.
	Separate bool
	// Seed chooses the order of the groups; each epoch has its own.
	Seed uint64
	// Epochs ends the batcher after so many walks; 0 means never.
	Epochs int
	// Sequential keeps the order in every epoch.
	Sequential bool
}

// Validate reports every field that makes no sense.
func (o BatchOptions) Validate() error {
	return policy.BatchSizes{Package: "group", Items: "GroupsPerStep", Stride: data.Stride{Items: o.GroupsPerStep}, TokensPerMicro: o.TokensPerMicro, Epochs: o.Epochs}.Validate()
}

// kind is what a batcher holds.
type kind string

const (
	groups   kind = "groups"
	rankings kind = "rankings"
)

// Batcher walks over groups or rankings and packs each optimizer step into
// micro-batches, groups whole. It implements dpo.StepSource, dpo.EvalSource and
// dpo.Lister and is not safe for concurrent use.
type Batcher struct {
	kind   kind
	items  []item
	pairs  [][2]int // of answers, the same in every group
	opts   BatchOptions
	walk   *data.Walk
	packer data.Packer
	print  string
}

// NewBatcher returns a Batcher of groups at the start of the first epoch. The
// answers of both sides are as many in every group.
func NewBatcher(list []Group, o BatchOptions) (*Batcher, error) {
	if len(list) == 0 {
		return nil, errors.New("group: got no groups, want at least one")
	}
	k := len(list[0].Chosen)
	b := &Batcher{kind: groups, opts: o}
	for _, g := range list {
		if len(g.Chosen) != len(g.Rejected) || len(g.Chosen) == 0 {
			return nil, fmt.Errorf("group: %v: got %d chosen and %d rejected answers, want as many of both, and one at least", g.At, len(g.Chosen), len(g.Rejected))
		}
		b.items = append(b.items, item{g.Prompt, append(append([][]int32(nil), g.Chosen...), g.Rejected...), g.At})
	}
	for i := range k {
		b.pairs = append(b.pairs, [2]int{i, k + i})
	}
	return b, b.begin(2 * k)
}

// NewRankingBatcher returns a Batcher of rankings at the start of the first epoch.
// All rankings have the same number of answers, two at least.
func NewRankingBatcher(list []Ranking, o BatchOptions) (*Batcher, error) {
	if len(list) == 0 || len(list[0].Answers) < 2 {
		return nil, errors.New("group: got no ranking of two answers or more, want at least one")
	}
	b := &Batcher{kind: rankings, opts: o}
	for _, r := range list {
		b.items = append(b.items, item{r.Prompt, r.Answers, r.At})
	}
	n := len(list[0].Answers)
	for i := range n - 1 {
		b.pairs = append(b.pairs, [2]int{i, i + 1})
	}
	return b, b.begin(n)
}

// begin checks the rows and fills in defaults.
func (b *Batcher) begin(answers int) error {
	if err := errors.Join(b.opts.Validate(), checkItems(b.items, answers)); err != nil {
		return err
	}
	if b.opts.GroupsPerStep == 0 {
		b.opts.GroupsPerStep = 4
	}
	longest := 0
	for i := range b.items {
		longest = max(longest, b.size(i))
	}
	if b.opts.TokensPerMicro == 0 {
		b.opts.TokensPerMicro = max(2048, longest)
	}
	if longest > b.opts.TokensPerMicro {
		return fmt.Errorf("group: got a row of %d tokens, want at most %d (BatchOptions.TokensPerMicro): it must not be divided", longest, b.opts.TokensPerMicro)
	}
	b.walk = data.NewWalk(len(b.items), data.WalkOptions{Seed: b.opts.Seed, Epochs: b.opts.Epochs, Sequential: b.opts.Sequential})
	return nil
}

// size is the tokens that a row takes in a micro-batch.
func (b *Batcher) size(i int) int {
	m := &b.items[i]
	if b.opts.Separate {
		return m.texts()
	}
	return m.texts() - (len(m.answers)-1)*len(m.prompt)
}

// Pairs is the number of pairs of a group: k for groups of k answers, one less than
// the answers of a ranking.
func (b *Batcher) Pairs() int { return len(b.pairs) }

// Options are those of the micro-batches, as dpo.New asks for them.
func (b *Batcher) Options() dpo.BatchOptions {
	return dpo.BatchOptions{TokensPerMicro: b.opts.TokensPerMicro, Separate: b.opts.Separate, Epochs: b.opts.Epochs, Seed: b.opts.Seed, Sequential: b.opts.Sequential}
}

// MaxPairs is the largest number of pairs a micro-batch can have. It leaves room
// for as many segments as the answers of that many groups need.
func (b *Batcher) MaxPairs() int {
	n := min(b.opts.GroupsPerStep, len(b.items))
	segments := n * (1 + len(b.items[0].answers))
	return max(n*len(b.pairs), (segments+2)/3)
}

// Cursor returns the place before the next step.
func (b *Batcher) Cursor() data.Cursor { return b.walk.Cursor() }

// Seek moves to a cursor that Cursor returned.
func (b *Batcher) Seek(c data.Cursor) error { return b.walk.Seek(c) }

// Steps returns the number of steps in the first epochs epochs, or in all there
// are.
func (b *Batcher) Steps(epochs int) int {
	return b.walk.Steps(epochs, b.span)
}

func (b *Batcher) span(rest []int32) int { return min(b.opts.GroupsPerStep, len(rest)) }

// Next fills step with the next optimizer step; see dpo.StepSource.
func (b *Batcher) Next(step *dpo.Step) error {
	list, epoch, err := b.walk.Take(b.span)
	if err != nil {
		return err
	}
	bins, n := b.packer.PackFunc(len(list), func(k int) int { return b.size(int(list[k])) }, b.opts.TokensPerMicro, 0)
	step.Epoch = epoch
	step.Reset(n)
	for k, i := range list {
		m := &b.items[i]
		step.Micro[bins[k]].AddGroup(m.prompt, m.answers, b.pairs, i, b.opts.Separate)
	}
	return nil
}

// Fingerprint identifies what the batcher yields.
func (b *Batcher) Fingerprint() string {
	o := b.opts
	return fmt.Sprintf("%s %s (%d) in steps of %d, %s, seed %d, sequential %t", b.kind, b.DataFingerprint(), len(b.items), o.GroupsPerStep, b.Layout(), o.Seed, o.Sequential)
}

// Examples is the number of groups.
func (b *Batcher) Examples() int { return len(b.items) }

// Walk yields every group once; see dpo.Lister.
func (b *Batcher) Walk(pairs int) (dpo.StepSource, error) {
	c := *b
	c.opts.GroupsPerStep = max(1, min(b.opts.GroupsPerStep, pairs/len(b.pairs)))
	c.walk, c.packer = data.NewWalk(len(b.items), data.WalkOptions{Epochs: 1, Sequential: true}), data.Packer{}
	return &c, nil
}

// DataFingerprint is the SHA-256 of all tokens.
func (b *Batcher) DataFingerprint() string {
	if b.print == "" {
		b.print = fingerprint(b.items)
	}
	return b.print
}

// Layout says how groups are packed.
func (b *Batcher) Layout() string {
	return fmt.Sprintf("micro-batches of %d tokens, separate %t", b.opts.TokensPerMicro, b.opts.Separate)
}

var (
	_ dpo.EvalSource = (*Batcher)(nil)
	_ dpo.Lister     = (*Batcher)(nil)
)
