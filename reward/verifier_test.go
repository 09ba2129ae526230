package reward

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func must(t *testing.T) func(v Verifier, err error) Verifier {
	return func(v Verifier, err error) Verifier {
		t.Helper()
		require.NoError(t, err)
		return v
	}
}

// table verifies completions against one reference.
func table(t *testing.T, v Verifier, reference string, want map[string]float64) {
	t.Helper()
	for completion, w := range want {
		got, err := v.Verify(context.Background(), Sample{Completion: completion, Reference: reference})
		require.NoError(t, err)
		assert.InDelta(t, w, got, 1e-15, "%s: %q", v.Name(), completion)
	}
}

func TestAnswers(t *testing.T) {
	table(t, Exact(), "red apple", map[string]float64{" red  apple. ": 1, "Red apple": 0, "": 0})
	table(t, GSM8K(), "so 9\n#### 1,018", map[string]float64{"#### 1018": 1, "it is $1018.00": 1, "1018 then 3": 0, "": 0})
	table(t, Boxed(), `\boxed{7}`, map[string]float64{`\boxed{7.0}`: 1, "7": 0, `\boxed{8}`: 0})
	table(t, Numeric(0.01, 0), "3.14", map[string]float64{"about 3.145": 1, "3.2": 0, "none": 0})
	table(t, Numeric(0, 0.1), "-100", map[string]float64{"-91": 1, "-89": 0, "100": 0})
	table(t, Fraction(), "3/4", map[string]float64{"0.75": 1, "6/8": 1, "75%": 0, "1/0": 0, "": 0, "4/3": 0})
	table(t, Fraction(), "-1.5", map[string]float64{"-1 1/2": 1, "-3/2": 1, "1 1/2": 0})
	table(t, Percent(), "75%", map[string]float64{"3/4": 1, `75\%`: 1, "75": 0, "0.75": 1})
	table(t, Math(), `\sqrt{8}`, map[string]float64{`\boxed{2\sqrt2}`: 1, "2.828": 0})
}

func TestMultipleChoice(t *testing.T) {
	table(t, MultipleChoice('D'), "B", map[string]float64{
		"B": 1, "b": 1, "(B) because": 1, "The answer is (B).": 1, "Answer: **B**": 1, `\boxed{B}`: 1, `\boxed{\text{(B)}}`: 1,
		"answer is A, no, the answer is B": 1, "A bee is in (B)": 1, "A": 0, "E": 0, "": 0, "Because": 0, `\boxed{A} but B`: 0,
	})
}

func TestTags(t *testing.T) {
	table(t, Think(), "", map[string]float64{"<think>a</think>b": 1, "<think></think> b": 1, "a": 0, "<think>a</think> ": 0, "x<think>a</think>b": 0, "<think>a<think></think>b": 0, "<think>a</think>b</think>": 0})
	table(t, Tags("think", "answer"), "", map[string]float64{
		"<think>a</think>\n<answer>b</answer>": 1, "<think>a</think>x<answer>b</answer>": 0, "<answer>b</answer><think>a</think>": 0,
		"<think>a</think><answer> </answer>": 0, "<think>a</think><answer>b</answer>c": 0,
	})
	table(t, TagCount("think", "answer"), "", map[string]float64{"<think></think><answer>": 0.75, "<think><think>": 0, "": 0})
	table(t, Within("answer", Exact()), "5", map[string]float64{"<answer>4</answer><answer>5</answer>": 1, "5": 0, "</answer>5<answer>": 0})
}

func TestPattern(t *testing.T) {
	table(t, must(t)(Pattern("year", `\A\d{4}\z`)), "", map[string]float64{"2024": 1, "x2024": 0, "": 0})
	_, err := Pattern("bad", "(")
	assert.ErrorIs(t, err, ErrOptions)
	_, err = Pattern("long", strings.Repeat("a", maxPattern+1))
	assert.ErrorIs(t, err, ErrOptions)
}

// TestOverlong is the table of DAPO eq. 13 with L = 20, C = 5.
func TestOverlong(t *testing.T) {
	v := must(t)(Overlong(20, 5))
	for n, want := range map[int]float64{1: 0, 15: 0, 16: -0.2, 18: -0.6, 20: -1, 21: -1, 1000: -1} {
		got, err := v.Verify(context.Background(), Sample{Completion: "x", Tokens: make([]int32, n)})
		require.NoError(t, err)
		assert.InDelta(t, want, got, 1e-15, "%d", n)
	}
	_, err := v.Verify(context.Background(), Sample{Completion: "x"})
	assert.ErrorIs(t, err, ErrTokens)
	_, err = Overlong(4, 5)
	assert.ErrorIs(t, err, ErrOptions)
}

func TestCosineScaled(t *testing.T) {
	v := must(t)(CosineScaled(Exact(), 8))
	for _, c := range []struct {
		text string
		n    int
		want float64
	}{{"a", 8, 0.5}, {"a", 4, 0.75}, {"b", 4, -0.75}, {"b", 8, -0.5}, {"b", 80, -0.5}, {"a", 2, 0.75 + 0.25*math.Sqrt2/2}} {
		got, err := v.Verify(context.Background(), Sample{Completion: c.text, Reference: "a", Tokens: make([]int32, c.n)})
		require.NoError(t, err)
		assert.InDelta(t, c.want, got, 1e-15, "%+v", c)
	}
}

func TestRepetition(t *testing.T) {
	// a b a b a: 2-grams ab ba ab ba, two of four distinct.
	table(t, must(t)(Repetition(2, -1)), "", map[string]float64{"a b A b a": -0.5, "a b c": 0, "a": 0, "": 0, "a a a a a": -0.75})
	got, err := must(t)(Repetition(3, -2)).Verify(context.Background(), Sample{Tokens: []int32{1, 2, 3, 1, 2, 3}})
	require.NoError(t, err)
	assert.InDelta(t, -0.5, got, 1e-15) // 123 231 312 123
	_, err = Repetition(2, 1)
	assert.ErrorIs(t, err, ErrOptions)
}

func TestScript(t *testing.T) {
	table(t, must(t)(Script("Latin")), "", map[string]float64{"abc 12!": 1, "abcд": 0.75, "12": 1, "дом": 0})
	_, err := Script("English")
	assert.ErrorIs(t, err, ErrOptions)
}

func TestReferenceFaultsAreErrors(t *testing.T) {
	for _, v := range []Verifier{GSM8K(), Math(), Numeric(0, 0), Fraction(), Percent(), MultipleChoice('D')} {
		_, err := v.Verify(context.Background(), Sample{Completion: "5"})
		assert.ErrorIs(t, err, ErrReference, v.Name())
	}
}

func TestContextEndsAreErrors(t *testing.T) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for _, v := range []Verifier{Exact(), Math(), Within("a", Exact()), must(t)(Repetition(2, -1))} {
		_, err := v.Verify(ended, Sample{Completion: "5", Reference: "5"})
		assert.ErrorIs(t, err, context.Canceled, v.Name())
	}
	slow := Deadline(Func("slow", func(Sample) (float64, error) { time.Sleep(20 * time.Millisecond); return 1, nil }), time.Millisecond)
	_, err := slow.Verify(context.Background(), Sample{})
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Equal(t, "slow", slow.Name())
}

func TestCompositeAndScore(t *testing.T) {
	c, err := NewComposite("sum", Part{2, Exact()}, Part{-0.5, Think()})
	require.NoError(t, err)
	got, err := Score(context.Background(), c, []Sample{{Completion: "a", Reference: "a"}, {Completion: "<think></think>b", Reference: "a"}})
	require.NoError(t, err)
	assert.Equal(t, []float64{2, -0.5}, got)
	broken := errors.New("broken")
	bad, err := NewComposite("bad", Part{1, Exact()}, Part{1, Func("x", func(Sample) (float64, error) { return 0, broken })})
	require.NoError(t, err)
	_, err = Score(context.Background(), bad, []Sample{{}})
	assert.ErrorIs(t, err, broken)
	assert.ErrorContains(t, err, "sample 0: reward: bad: reward: x:")
	for _, parts := range [][]Part{nil, {{1, nil}}, {{1, Exact()}, {1, Exact()}}, {{math.NaN(), Exact()}}} {
		_, err := NewComposite("c", parts...)
		assert.ErrorIs(t, err, ErrOptions)
	}
}
