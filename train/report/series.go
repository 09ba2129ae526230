package report

// maxPoints is the number of points a chart draws of one series. A chart is some
// 400 pixels wide; more points would only make the page larger.
const maxPoints = 1500

// point is a value of a metric.
type point struct {
	step  int64
	value float64
}

// bucket stands for consecutive points of a series: the smallest and the largest
// keep every spike, the mean gives the trend.
type bucket struct {
	min, max point
	mean     float64
	n, bad   int // finite points, and others
}

func (b *bucket) add(p point) {
	if !finite(p.value) {
		b.bad++
		return
	}
	b.n++
	if b.n == 1 {
		b.min, b.max, b.mean = p, p, p.value
		return
	}
	if p.value < b.min.value {
		b.min = p
	}
	if p.value > b.max.value {
		b.max = p
	}
	b.mean += (p.value - b.mean) / float64(b.n)
}

// merge adds the points of a later bucket.
func (b *bucket) merge(c bucket) {
	bad := b.bad + c.bad
	switch {
	case c.n == 0:
	case b.n == 0:
		*b = c
	default:
		if c.min.value < b.min.value {
			b.min = c.min
		}
		if c.max.value > b.max.value {
			b.max = c.max
		}
		share := float64(c.n) / float64(b.n+c.n)
		b.mean += (c.mean - b.mean) * share
		b.n += c.n
	}
	b.bad = bad
}

// series collects a metric of any length in bounded memory. Steps must not
// decrease.
type series struct {
	name        string
	buckets     []bucket
	per         int // points a bucket
	first, last point
	n, bad      int
	firstBad    int64
	turns       int // changes of direction, which tell noise from a trend
	rising      bool
}

func (s *series) add(p point) {
	s.note(p)
	s.per = max(s.per, 1)
	if s.full() && len(s.buckets) == bucketsFor(maxPoints) {
		s.halve()
	}
	if s.full() {
		s.buckets = append(s.buckets, bucket{})
	}
	s.buckets[len(s.buckets)-1].add(p)
}

// full says whether the next point needs a new bucket.
func (s *series) full() bool {
	k := len(s.buckets)
	return k == 0 || s.buckets[k-1].n+s.buckets[k-1].bad >= s.per
}

// note counts a point.
func (s *series) note(p point) {
	if !finite(p.value) {
		if s.bad == 0 {
			s.firstBad = p.step
		}
		s.bad++
		return
	}
	switch {
	case s.n == 0:
		s.first = p
	case p.value != s.last.value:
		if rising := p.value > s.last.value; rising != s.rising {
			s.rising = rising
			s.turns++
		}
	}
	s.last = p
	s.n++
}

// bucketsFor is how many buckets give at most so many points: two each, and the
// first and the last of the series.
func bucketsFor(points int) int { return max(points/2-1, 1) }

// halve merges buckets in pairs.
func (s *series) halve() {
	s.per *= 2
	half := s.buckets[:0]
	for i := 0; i < len(s.buckets); i += 2 {
		b := s.buckets[i]
		if i+1 < len(s.buckets) {
			b.merge(s.buckets[i+1])
		}
		half = append(half, b)
	}
	s.buckets = half
}

// shrink makes points return at most limit points.
func (s *series) shrink(limit int) {
	for len(s.buckets) > bucketsFor(limit) {
		s.halve()
	}
}

// points are the points to draw in runs: a line is broken where nothing is
// finite. The first, the last, the smallest and the largest value are among them.
func (s *series) points() [][]point {
	var runs [][]point
	var run []point
	put := func(p point) {
		if k := len(run); k == 0 || run[k-1] != p {
			run = append(run, p)
		}
	}
	seen := 0
	for _, b := range s.buckets {
		if b.n == 0 {
			if len(run) > 0 {
				runs, run = append(runs, run), nil
			}
			continue
		}
		if seen == 0 {
			put(s.first)
		}
		early, late := b.min, b.max
		if late.step < early.step {
			early, late = late, early
		}
		put(early)
		put(late)
		if seen += b.n; seen == s.n {
			put(s.last)
		}
	}
	if len(run) > 0 {
		runs = append(runs, run)
	}
	return runs
}

// extremes are the smallest and the largest point.
func (s *series) extremes() (low, high point) {
	var all bucket
	for _, b := range s.buckets {
		all.merge(b)
	}
	return all.min, all.max
}
