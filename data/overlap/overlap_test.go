package overlap_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data/overlap"
)

// vocabulary words make texts that share a run by chance hardly ever.
const vocabulary = 5000

func words(r *rand.Rand, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("w%d", r.IntN(vocabulary))
	}
	return list
}

// jaccard is the similarity of two texts by their runs of n words, computed
// plainly.
func jaccard(a, b []string, n int) float64 {
	set := func(list []string) map[string]bool {
		runs := map[string]bool{}
		for i := range len(list) - n + 1 {
			runs[strings.Join(list[i:i+n], " ")] = true
		}
		return runs
	}
	x, y := set(a), set(b)
	both := 0
	for run := range x {
		if y[run] {
			both++
		}
	}
	return float64(both) / float64(len(x)+len(y)-both)
}

func duplicates(t testing.TB, o overlap.DuplicateOptions) *overlap.Duplicates {
	d, err := overlap.NewDuplicates(o)
	require.NoError(t, err)
	return d
}

// What MinHash estimates is the similarity that counting gives, and pairs above
// the threshold are found, those far below it are not.
func TestNearDuplicatesAreFoundAsCountingFindsThem(t *testing.T) {
	const pairs, length = 240, 200
	r := rand.New(rand.NewPCG(1, 2))
	above, missed, below, excess := 0, 0, 0, 0
	for range pairs {
		a := words(r, length)
		b := slices.Clone(a)
		for range r.IntN(20) {
			b[r.IntN(length)] = fmt.Sprintf("w%d", r.IntN(vocabulary))
		}
		want := jaccard(a, b, 5)
		d := duplicates(t, overlap.DuplicateOptions{Threshold: 0.7, Hashes: 256})
		require.Equal(t, -1, d.Add(strings.Join(a, " ")).Of)
		m := d.Add(strings.Join(b, ", "))
		if m.Of == 0 {
			// five standard errors of a share of 256
			require.InDelta(t, want, m.Similarity, 5*math.Sqrt(want*(1-want)/256)+1e-9)
		}
		switch {
		case want >= 0.78:
			above++
			if m.Of < 0 {
				missed++
			}
		case want < 0.62:
			below++
			if m.Of >= 0 {
				excess++
			}
		}
	}
	require.Greater(t, above, 50)
	require.Greater(t, below, 50)
	assert.LessOrEqual(t, missed, above/50)
	assert.LessOrEqual(t, excess, below/50)
}

func TestDuplicates(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	long := strings.Join(words(r, 120), " ")
	texts := []string{
		"One two three.", "", "one, TWO three", "One two three.", "!?", "", long, strings.ToUpper(long) + " tail",
		"日本語の文章です。", "日本語の文章です！", "日本語の小説です。", long,
	}
	want := []struct {
		of    int
		exact bool
	}{{-1, false}, {-1, false}, {0, false}, {0, true}, {-1, false}, {1, true}, {-1, false}, {6, false}, {-1, false}, {8, false}, {-1, false}, {6, true}}
	for range 2 { // once more: the same
		d := duplicates(t, overlap.DuplicateOptions{})
		for i, text := range texts {
			m := d.Add(text)
			assert.Equal(t, want[i].of, m.Of, "%d: %q", i, text)
			assert.Equal(t, want[i].exact, m.Exact, "%d: %q", i, text)
		}
	}
	exact := duplicates(t, overlap.DuplicateOptions{ExactOnly: true})
	for i, text := range texts {
		m := exact.Add(text)
		assert.Equal(t, want[i].exact, m.Of >= 0, "%d: %q", i, text)
	}
}

// Of many texts the right one is named.
func TestDuplicatesAmongMany(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	d := duplicates(t, overlap.DuplicateOptions{})
	var all [][]string
	for range 2000 {
		all = append(all, words(r, 60))
		require.Equal(t, -1, d.Add(strings.Join(all[len(all)-1], " ")).Of)
	}
	for i := range all {
		changed := slices.Clone(all[i])
		changed[0] = "changed" // 55 of 57 runs stay
		m := d.Add(strings.Join(changed, " "))
		require.Equal(t, i, m.Of)
		require.Greater(t, m.Similarity, 0.8)
	}
}

func TestContamination(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	c, err := overlap.NewContamination(overlap.ContaminationOptions{})
	require.NoError(t, err)
	heading := strings.Join(words(r, 14), " ") + "\n"
	var tests []string
	for range 20 {
		tests = append(tests, heading+strings.Join(words(r, 40), " "))
	}
	tests = append(tests, "too short a test", "a test of just so many words as are needed")
	for _, text := range tests {
		c.AddTest(text)
	}
	assert.Equal(t, 1, c.Short())
	inner := strings.Fields(tests[7])
	train := []string{
		heading + strings.Join(words(r, 40), " "),                                                          // shares the heading only
		strings.Join(append(words(r, 30), inner[20:33]...), " "),                                           // a run of 13 words of test 7
		strings.Join(append(words(r, 30), inner[34:46]...), " "),                                           // 12 are too few
		"see: " + strings.ToUpper(tests[3]),                                                                // all of test 3
		"here is A TEST, of just so many words as are needed, and more", "a test of just so many words as", // the short one, and a part of it
		tests[20], "",
	}
	var shared []int
	for _, text := range train {
		shared = append(shared, c.AddTrain(text))
	}
	assert.Equal(t, []int{0, 1, 0, 40, 1, 0, 0, 0}, shared)
	hits := c.Hits()
	require.Len(t, hits, 3)
	assert.Equal(t, overlap.Hit{Test: 3, Train: 3, Share: 1}, hits[0])
	assert.Equal(t, 7, hits[1].Test)
	assert.Equal(t, 1, hits[1].Train)
	assert.InDelta(t, 1.0/40, hits[1].Share, 0.01)
	assert.Equal(t, overlap.Hit{Test: 21, Train: 4, Share: 1}, hits[2])
	assert.Equal(t, hits, c.Hits())
}

func TestOptionsAreChecked(t *testing.T) {
	_, err := overlap.NewDuplicates(overlap.DuplicateOptions{Words: -1, Threshold: math.NaN(), Hashes: 5000})
	for _, field := range []string{"Words: got -1", "Threshold: got NaN", "Hashes: got 5000"} {
		require.ErrorContains(t, err, field)
	}
	_, err = overlap.NewContamination(overlap.ContaminationOptions{Words: -1, MinWords: -2, Common: -3})
	for _, field := range []string{"Words: got -1", "MinWords: got -2", "Common: got -3"} {
		require.ErrorContains(t, err, field)
	}
}

func BenchmarkDuplicates(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	d := duplicates(b, overlap.DuplicateOptions{})
	text := strings.Join(words(r, 200), " ")
	b.SetBytes(int64(len(text)))
	for i := range b.N {
		d.Add(fmt.Sprint(i) + text)
	}
}
