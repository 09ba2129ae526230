package report

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSamplesPairByPromptAndTurn(t *testing.T) {
	s, err := readSamples(strings.NewReader(`{"step":0,"prompt":"p","completion":"a1"}
{"step":0,"prompt":"p","completion":"a2","scores":{"x":1,"y":2}}
{"step":0,"prompt":"gone","completion":"a3"}
{"step":9,"prompt":"new","completion":"b0"}
{"step":9,"prompt":"p","completion":"b1"}
{"step":9,"prompt":"p","completion":"a2","scores":{"x":3,"z":4,"bad":null,"worse":"text"}}
{"step":9,"prompt":"p","completion":"b3"}
`))
	require.NoError(t, err)
	g := s.gallery()
	var pairs, others []string
	for _, p := range g.Pairs {
		pairs = append(pairs, fmt.Sprint(p.Before.Completion, p.After.Completion, p.Same))
	}
	for _, o := range g.Groups {
		for _, s := range o.Samples {
			others = append(others, fmt.Sprint(o.Step, s.Completion))
		}
	}
	assert.Equal(t, []string{"a1b1false", "a2a2true"}, pairs)
	assert.Equal(t, []string{"0a3", "9b0", "9b3"}, others)
	assert.Equal(t, []scoreChange{{"bad", "", "not finite", ""}, {"x", "1", "3", "+2"}, {"y", "2", "", ""}, {"z", "", "4", ""}}, g.Pairs[1].Scores)
	assert.Zero(t, g.Left+g.LeftSteps)
}

func TestPromptsThatAreNoStrings(t *testing.T) {
	page := render(t, "", "", `{"step":0,"prompt":[{"role":"user","content":"hi"}],"completion":null}`)
	assert.Contains(t, page, `<pre dir="auto">[{&#34;role&#34;:&#34;user&#34;,&#34;content&#34;:&#34;hi&#34;}]</pre>`)
}

func TestFirstAndLastSamplesStay(t *testing.T) {
	for _, n := range []int{1, 2, maxGroups, maxGroups + 1, 3 * maxGroups, 1000} {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `{"step":%d,"prompt":"p","completion":"c"}`+"\n", 10*i)
		}
		s, err := readSamples(strings.NewReader(b.String()))
		require.NoError(t, err)
		require.LessOrEqual(t, len(s.groups), maxGroups)
		assert.Greater(t, len(s.groups), min(n, maxGroups/2)-1, "%d steps", n)
		assert.Zero(t, s.groups[0].Step)
		assert.EqualValues(t, 10*(n-1), s.groups[len(s.groups)-1].Step)
		g := s.gallery()
		assert.Equal(t, n-len(s.groups), g.LeftSteps)
		assert.Equal(t, n > 1, len(g.Pairs) == 1)
	}
}

func TestSamplesFitTheBudget(t *testing.T) {
	var b strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&b, `{"step":%d,"prompt":"%d","completion":"%s","reference":"%s"}`+"\n", i/100, i%100, strings.Repeat("+'", 3000), strings.Repeat("<", 6000))
	}
	page := render(t, "", "", b.String())
	assert.Contains(t, page, "To keep the page small it leaves out ")
	assert.Less(t, len(page), samplesBudget+100_000)
	assert.Greater(t, len(page), samplesBudget/2)
}

func TestShortenKeepsBothEnds(t *testing.T) {
	text := "begin " + strings.Repeat("ü€😀", 5000) + " end"
	for limit := 100; limit < 120; limit++ {
		got := shorten(text, limit)
		assert.True(t, utf8.ValidString(got))
		assert.Less(t, len(got), limit+50)
		assert.True(t, strings.HasPrefix(got, "begin ") && strings.HasSuffix(got, " end"))
		assert.Contains(t, got, " bytes left out] …")
	}
	assert.Equal(t, "short", shorten("short", 5))
	assert.NotPanics(t, func() { shorten(strings.Repeat("\x80", 100), 10) })
}
