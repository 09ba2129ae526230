package data

// filler packs the examples of a step into micro-batches.
type filler struct {
	packer Packer
}

// fill packs examples of a dataset into step, the longest first.
func (f *filler) fill(step *Step, set *Dataset, examples []int32, o *BatchOptions) {
	bins, n := f.packer.PackFunc(len(examples), func(k int) int { return set.Length(int(examples[k])) }, o.TokensPerMicro, o.MaxSegments)
	resize(step, n, o)
	step.Tokens, step.Targets = 0, 0
	for _, item := range f.packer.items { // longest first
		k := indexOf(item)
		i := examples[k]
		step.Micro[bins[k]].Add(set.Example(int(i)), i)
	}
	for i := range step.Micro {
		step.Tokens += len(step.Micro[i].Tokens)
		step.Targets += float64(len(step.Micro[i].Targets))
	}
}

// resize makes n empty micro-batches and keeps the memory of all there were.
func resize(step *Step, n int, o *BatchOptions) {
	step.Micro = step.Micro[:cap(step.Micro)]
	for len(step.Micro) < n {
		step.Micro = append(step.Micro, Packed{})
		step.Micro = step.Micro[:cap(step.Micro)]
	}
	step.Micro = step.Micro[:n]
	for i := range step.Micro {
		step.Micro[i].Reset()
		step.Micro[i].reserve(o.TokensPerMicro, o.MaxSegments)
	}
}
