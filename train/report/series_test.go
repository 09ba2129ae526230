package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// drawn are the points of a series in order, whatever the breaks.
func drawn(s *series) []point { return slices.Concat(s.points()...) }

func TestDownsamplingKeepsWhatMatters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 6000).Draw(t, "n")
		seed := rapid.Uint64().Draw(t, "seed")
		holes := rapid.IntRange(0, 4).Draw(t, "holes")
		limit := rapid.IntRange(4, maxPoints).Draw(t, "limit")
		s, all := &series{}, []point{}
		for i := range n {
			seed = seed*6364136223846793005 + 1442695040888963407
			p := point{int64(3 * i), float64(int64(seed)>>40) / 1000}
			if holes > 0 && seed>>32%7 < uint64(holes) {
				p.value = math.NaN()
			} else {
				all = append(all, p)
			}
			s.add(p)
		}
		require.Equal(t, []int{len(all), n - len(all)}, []int{s.n, s.bad})
		s.shrink(limit)
		got := drawn(s)
		assert.LessOrEqual(t, len(got), limit)
		if len(all) == 0 {
			assert.Empty(t, got)
			return
		}
		byValue := func(a, b point) int {
			switch {
			case a.value < b.value:
				return -1
			case a.value > b.value:
				return 1
			}
			return 0
		}
		assert.Equal(t, slices.MinFunc(all, byValue), slices.MinFunc(got, byValue), "the smallest value stays, at its step")
		assert.Equal(t, slices.MaxFunc(all, byValue), slices.MaxFunc(got, byValue), "the largest value stays, at its step")
		assert.Equal(t, all[0], got[0])
		assert.Equal(t, all[len(all)-1], got[len(got)-1])
		assert.True(t, slices.IsSortedFunc(got, func(a, b point) int { return int(a.step - b.step) }))
		for _, p := range got {
			assert.Contains(t, all, p, "no point is made up")
		}
	})
}

func TestShortSeriesAreDrawnWhole(t *testing.T) {
	s, want := &series{}, []point{}
	for i := range maxPoints/2 - 1 {
		p := point{int64(i), math.Sin(float64(i * i))}
		want = append(want, p)
		s.add(p)
	}
	assert.Equal(t, want, drawn(s))
}

func TestLongSeriesStayDetailed(t *testing.T) {
	s := &series{}
	for i := range 1_000_000 {
		s.add(point{int64(i), math.Sin(float64(i * i))})
	}
	n := len(drawn(s))
	assert.LessOrEqual(t, n, maxPoints)
	assert.Greater(t, n, maxPoints/2-10)
	assert.LessOrEqual(t, cap(s.buckets), 2*maxPoints, "memory does not grow with the run")
}

func TestLinesBreakWhereNothingIsFinite(t *testing.T) {
	s := &series{}
	for i, v := range []float64{1, 2, math.NaN(), math.Inf(1), 3, math.NaN()} {
		s.add(point{int64(i), v})
	}
	assert.Equal(t, [][]point{{{0, 1}, {1, 2}}, {{4, 3}}}, s.points())
	assert.Equal(t, "not finite 3 times, first at step 2", s.fault())
	assert.Equal(t, "1 → 3, lowest", s.summary()[:len("1 → 3")]+", lowest")
}

func TestTrendIsForNoiseOnly(t *testing.T) {
	noisy, smooth := &series{}, &series{}
	for i := range 1000 {
		x := float64(i) / 1000
		spike := 0.0
		if i == 500 {
			spike = 1000
		}
		noisy.add(point{int64(i), 2 - x + 0.1*math.Sin(float64(i*i)) + spike})
		smooth.add(point{int64(i), math.Cos(20 * x)}) // a schedule with restarts
	}
	assert.True(t, noisy.noisy())
	assert.False(t, smooth.noisy())
	for _, p := range slices.Concat(noisy.trend()...) {
		// Half the noise's height is more than a trend may keep of it.
		assert.InDelta(t, 2-float64(p.step)/1000, p.value, 0.1, "step %d: the trend follows neither noise nor spike", p.step)
	}
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		s    scale
		want string
	}{
		{scale{0, 1, false}, "0 0.2 0.4 0.6 0.8 1.0"},
		{scale{0.55, 2.1, false}, "1.0 1.5 2.0"},
		{scale{-3, 7, false}, "-2 0 2 4 6"},
		{scale{0, 2.1e-4, false}, "0 5e-5 1e-4 1.5e-4 2e-4"},
		{scale{0, 100_000, false}, "0 20k 40k 60k 80k 100k"},
		{scale{1e6, 9e6, false}, "2M 4M 6M 8M"},
		{scale{0, 1.3e8, false}, "0 50M 100M"},
		{scale{0.3, 60, true}, "1 10"},
		{scale{1, 40, true}, "1 2 5 10 20"},
		{scale{1e-8, 1e8, true}, "1e-8 1e-4 1 10k 100M"},
		{scale{math.NaN(), 1, false}, ""},
	} {
		var labels []string
		for _, tick := range c.s.ticks(yTicks) {
			labels = append(labels, tick.label)
		}
		assert.Equal(t, c.want, strings.Join(labels, " "), "%v", c.s)
	}
}

func TestScalesCoverAnyRange(t *testing.T) {
	tiny := math.SmallestNonzeroFloat64
	for _, r := range [][2]float64{{0, 0}, {5, 5}, {-1, -1}, {1, 1 + 1e-15}, {-math.MaxFloat64, math.MaxFloat64}, {math.MaxFloat64, math.MaxFloat64}, {0, tiny}, {tiny, tiny}, {tiny, math.MaxFloat64}, {1e-300, 2e-300}} {
		for _, log := range []bool{false, true} {
			if log && r[0] <= 0 {
				continue
			}
			s := newScale(r[0], r[1], log)
			require.True(t, finite(s.low) && finite(s.high) && s.low < s.high, "%v: %v", r, s)
			for _, v := range r {
				at := s.at(v)
				assert.True(t, at >= 0 && at <= 1, "%v in %v: %v", v, s, at)
			}
			assert.LessOrEqual(t, len(s.ticks(yTicks)), 3*yTicks)
		}
	}
}

func TestLogScaleIsForSpikes(t *testing.T) {
	spiky, steady := &series{}, &series{}
	for i := range 100 {
		v := 1.0
		if i == 50 {
			v = 1000
		}
		spiky.add(point{int64(i), v})
		steady.add(point{int64(i), 1 + float64(i)*10})
	}
	assert.True(t, wantsLog(source{title: "grad_norm", train: spiky}))
	assert.False(t, wantsLog(source{title: "loss", train: spiky}))
	assert.False(t, wantsLog(source{title: "learning_rate", train: spiky}))
	assert.False(t, wantsLog(source{title: "num_tokens", train: steady}))
	spiky.add(point{100, 0})
	assert.False(t, wantsLog(source{title: "grad_norm", train: spiky}), "0 has no logarithm")
}

func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 1: "1", 0.123456: "0.1235", 12.3456: "12.35", -0.5: "-0.5", 999.96: "1000", 1234.5: "1,234", 2428738: "2,428,738", -1234567: "-1,234,567",
		2e-5: "2e-5", 1.23456e-7: "1.235e-7", 1e15: "1e15", 1e300: "1e300", math.Inf(1): "not finite",
	} {
		assert.Equal(t, want, format(v))
	}
	assert.Equal(t, "not finite", format(math.NaN()))
	assert.Equal(t, "+0.25", signed(0.25))
	assert.Equal(t, "0.00", formatFixed(-0.001, 2))
}

func TestOverlaysAreComparable(t *testing.T) {
	mk := func(values ...float64) *series {
		s := &series{}
		for i, v := range values {
			s.add(point{int64(i), v})
		}
		return s
	}
	assert.True(t, comparable(mk(3, 1), mk(3.2, 1.1)))
	assert.False(t, comparable(mk(0.3, 0.1), mk(300, 100)))
	assert.True(t, comparable(mk(1), mk(900)), "a single value has no range to spoil")
	m, err := readMetrics(strings.NewReader(`{"event":"step","step":1,"reward":0.1}` + "\n" + `{"event":"step","step":2,"reward":0.2}` + "\n" + `{"event":"eval","step":2,"eval_reward":50}`))
	require.NoError(t, err)
	sections := m.sections()
	require.Len(t, sections, 2)
	assert.Equal(t, []string{"reward", "eval_reward"}, []string{sections[0].Charts[0].Title, sections[1].Charts[0].Title})
}

func TestManySeriesShareTheBudget(t *testing.T) {
	var b strings.Builder
	for step := range 600 {
		fmt.Fprintf(&b, `{"event":"step","step":%d`, step)
		for i := range maxSeries + 20 {
			fmt.Fprintf(&b, `,"group%d/metric%d":%g`, i/10, i, math.Sin(float64(step*step*i)))
		}
		b.WriteString("}\n")
	}
	page := render(t, "", b.String(), "")
	assert.Equal(t, maxSeries, strings.Count(page, "<figure>"))
	assert.Contains(t, page, "metrics.jsonl: 12,000 values were left out: a chart is drawn for at most 200 metrics of a kind")
}
