package data

// filler packs the examples of a step into micro-batches.
type filler struct {
	packer  Packer
	lengths []int // of the step's examples
}

// fill packs examples of a dataset into step, the longest first.
func (f *filler) fill(step *Step, set *Dataset, examples []int32, o *BatchOptions) {
	f.lengths = f.lengths[:0]
	for _, i := range examples {
		f.lengths = append(f.lengths, set.Length(int(i)))
	}
	bins, n := f.packer.Pack(f.lengths, o.TokensPerMicro, o.MaxSegments)
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
