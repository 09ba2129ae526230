package train

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMetricsAreMeansOverTokens is trap T43: two micro-batches of unequal size.
func TestMetricsAreMeansOverTokens(t *testing.T) {
	var m Metrics
	m.Add("entropy", 1, 30)
	m.Add("entropy", 2, 10)
	m.Add("nothing", 5, 0)
	m.Set("loss", 0.1)
	m.Set("loss", 0.3)
	v, ok := m.Value("entropy")
	assert.True(t, ok)
	assert.Equal(t, 1.25, v, "not 1.5")
	_, ok = m.Value("nothing")
	assert.False(t, ok)
	_, ok = m.Value("unknown")
	assert.False(t, ok)
	assert.Equal(t, 2, m.Len())
	raw, err := json.Marshal(&m)
	require.NoError(t, err)
	assert.Equal(t, `{"entropy":1.25,"loss":0.3}`, string(raw))
}

// TestMetricsOrderHasNoMemory: a resumed run has not seen the names of the steps
// before, and must write the same lines.
func TestMetricsOrderHasNoMemory(t *testing.T) {
	var m Metrics
	m.Set("rare", 1)
	m.Set("loss", 1)
	m.Reset()
	assert.Zero(t, m.Len())
	m.Set("loss", 2)
	m.Set("rare", 3)
	raw, err := json.Marshal(&m)
	require.NoError(t, err)
	assert.Equal(t, `{"loss":2,"rare":3}`, string(raw))
}

func TestMetricsJSON(t *testing.T) {
	var m Metrics
	raw, err := json.Marshal(&m)
	require.NoError(t, err)
	assert.Equal(t, "{}", string(raw))
	m.Set("na\"me é", 1e-300)
	m.Set("nan", math.NaN())
	m.Set("inf", math.Inf(-1))
	raw, err = json.Marshal(&m)
	require.NoError(t, err)
	assert.Equal(t, `{"na\"me é":1e-300,"nan":null,"inf":null}`, string(raw))
	var back Metrics
	require.NoError(t, json.Unmarshal(raw, &back))
	v, _ := back.Value("na\"me é")
	assert.Equal(t, 1e-300, v)
	v, ok := back.Value("nan")
	assert.True(t, ok && math.IsNaN(v))
	for _, bad := range []string{`[1]`, `{"a":"b"}`, `3`} {
		assert.Error(t, json.Unmarshal([]byte(bad), &back), bad)
	}
}

func TestEventLines(t *testing.T) {
	var m, timing Metrics
	m.Set("loss", 2.5)
	timing.Set(tokensPerSecondName, 100)
	for want, e := range map[string]Event{
		`{"event":"step","step":1,"loss":2.5,"tokens_per_second":100}`: {Kind: EventStep, Step: 1, Metrics: &m, Timing: &timing},
		`{"event":"checkpoint","step":4,"path":"out/\"x\""}`:           {Kind: EventCheckpoint, Step: 4, Path: `out/"x"`},
		`{"event":"start","step":0,"seed":1}`:                          {Kind: EventStart, Fields: json.RawMessage(`{"seed":1}`)},
		`{"event":"start","step":0}`:                                   {Kind: EventStart, Fields: json.RawMessage(`{}`)},
		`{"event":"sample","step":0,"prompt":"a","completion":"b\n"}`:  {Kind: EventSample, Sample: &Sample{Prompt: "a", Completion: "b\n"}},
	} {
		line := e.AppendJSON([]byte("x"))[1:]
		assert.Equal(t, want, string(line))
		assert.True(t, json.Valid(line))
	}
	buf := make([]byte, 0, 1000)
	e := Event{Kind: EventStep, Step: 1, Metrics: &m, Timing: &timing}
	assert.Zero(t, testing.AllocsPerRun(20, func() { buf = e.AppendJSON(buf[:0]) }))
}
