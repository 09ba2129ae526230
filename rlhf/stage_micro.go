package rlhf

// give collects the numbers of a micro-batch.
func (s *stage) give(b *microBatch, seed float64) {
	x := &s.in
	x.seed = seed
	x.klCoef = s.opts.Objective.KL.Coef * s.control.KL
	x.entropyCoef = s.control.Entropy * s.opts.Objective.Average().EntropyScale(s.totals.rows, s.totals.tokens)
	for _, list := range []*[]float64{&x.advantage, &x.mask, &x.keep, &x.old, &x.ref, &x.sampler, &x.weight, &x.taught, &x.rowWeight, &x.lengths, &x.groupLengths} {
		*list = (*list)[:0]
	}
	use := s.opts.uses()
	for _, c := range b.rows {
		x.lengths = append(x.lengths, float64(max(1, s.length(c))))
		x.groupLengths = append(x.groupLengths, max(1, s.totals.groups[c.Group]))
		mask := s.mask(c)
		x.mask = append(x.mask, mask...)
		x.keep = append(x.keep, s.kept[c]...)
		x.advantage = append(x.advantage, c.Advantages...)
		x.old, x.ref = append(x.old, c.Old...), append(x.ref, c.Ref...)
		if use.sampler {
			x.sampler = samplerLogProbs(x.sampler, c, mask)
		}
		if use.taught {
			x.taught = append(x.taught, s.lesson.of[c]...)
		}
		switch text := s.lesson.texts[c]; {
		case use.weight && text:
			x.weight = append(x.weight, mask...) // nothing but 0, where nothing counts
		case use.rowWeight && text:
			x.rowWeight = append(x.rowWeight, 1)
		case use.weight:
			x.weight = append(x.weight, s.corrected.token[c]...)
		case use.rowWeight:
			x.rowWeight = append(x.rowWeight, s.corrected.row[c])
		}
	}
}

// valueSeed is what the critic's losses of a micro-batch are multiplied by: its
// coefficient over the tokens of the step, or of the micro-batch where the loop
// divides so.
func (s *stage) valueSeed(micro int) float64 {
	tokens := s.totals.tokens
	if s.perMicro {
		tokens = 0
		for _, c := range s.micro[micro].rows {
			tokens += float64(s.length(c))
		}
		tokens *= float64(len(s.micro))
	}
	if tokens == 0 {
		return 0
	}
	return s.judge.Coef / tokens
}
