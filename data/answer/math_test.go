package answer

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSameMath(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{`\frac{3}{4}+\frac14`, "1", true},
		{`\sqrt{18}`, `3\sqrt{2}`, true},
		{`\sqrt[3]{-8}`, "-2", true},
		{`(\sqrt2+1)(\sqrt2-1)`, "1", true},
		{`\frac{1+\sqrt{5}}{2}`, `\frac{\sqrt5+1}{2}`, true},
		{`\frac{1\pm\sqrt{5}}{2}`, `\frac{1+\sqrt{5}}{2}, \frac{1-\sqrt{5}}{2}`, true},
		{`x^3-1`, `(x-1)(x^2+x+1)`, true},
		{`x^3-1`, `(x-1)(x^2+x-1)`, false},
		{`\sin^2 x+\cos^2 x`, "1", true},
		{`\sqrt{x^2}`, "x", false},
		{`\sqrt{x^2}`, "|x|", true},
		{`100000000000000000001`, `100000000000000000002`, false},
		{`10^{20}+1`, `10^{20}`, false},
		{"1000000", "1000001", false},
		{`2^{100}`, "1267650600228229401496703205376", true},
		{`0.\overline{3}`, "0.3", false},
		{`\{x : x > 0\}`, "1", false},
		{`x=1 \text{ or } x=-1`, `\pm 1`, true},
		{`x<1 \text{ or } x>2`, `(-\infty,1)\cup(2,\infty)`, true},
		{`x \in [1,2]`, `1 \le x \le 2`, true},
		{`\mathbb{R}`, `(-\infty,\infty)`, true},
		{`x>3`, `y>3`, false},
		{`y-2=3(x-1)`, `y=3x-1`, true},
		{`y-2=3(x-1)`, `y=3x`, false},
		{`\sum_{k=1}^{n} 1`, "n", false}, // only sums with whole limits are read
		{`\prod_{k=1}^{5} k`, "120", true},
		{`\int_{0}^{\pi} \sin x \, dx`, "2", true},
		{`\frac{d}{dx} \sin x`, `\cos x`, true},
		{`\log 1000`, "3", true},
		{`\log_{9} 3`, `\frac12`, true},
		{`\binom{10}{3}`, "120", true},
		{`5 cm`, `5\text{ centimeters}`, true},
		{`5\text{ cm}^2`, `5`, true},
		{`-5\text{ cm}`, `-5`, true},
		{`2:3`, `2:4`, false},
		{`1/0`, `2/0`, false},
		{`\text{Alice and Bob}`, `alice and bob`, true},
		{`(0,1]`, `[0,1]`, false},
		{`x^2+1=0`, `1+x^2=0`, true},
		{`i(1+i)`, `-1+i`, true},
		{`60^\circ`, `\frac{\pi}{3}`, false},
		{`\cos 60^\circ`, `0.5`, true},
	} {
		assert.Equal(t, c.want, SameMath(c.a, c.b), "%q %q", c.a, c.b)
		assert.Equal(t, c.want, SameMath(c.b, c.a), "%q %q", c.b, c.a)
	}
}

func TestFinal(t *testing.T) {
	for text, want := range map[string]string{
		`so \boxed{3} and later \boxed{\frac{1}{2}}`:  `\frac{1}{2}`,
		`either \boxed{3}, \boxed{4}`:                 `3, 4`,
		"he pays $5 and then $6":                      "$6",
		"The final answer is 12 because it is even.":  "12",
		"Answer: (3, 4)":                              "(3, 4)",
		"<think>\\boxed{1}</think>It is $x^2$, clear": "x^2",
		"a $4$ b $5$":                                 "5",
		"#### 12":                                     "12",
		`\(a\) \[b\]`:                                 "b",
	} {
		got, ok := Final(text)
		assert.True(t, ok, text)
		assert.Equal(t, want, got, text)
	}
	for _, text := range []string{"", `\boxed{4`, `\boxed{}`, "</think>"} {
		_, ok := Final(text)
		assert.False(t, ok, text)
	}
}

// hostile are texts made to take long.
var hostile = []string{
	strings.Repeat("(", 1<<20), strings.Repeat(`\boxed{`, 1<<17), strings.Repeat("$", 1<<20), strings.Repeat("1,", 1<<19), strings.Repeat(`\frac`, 1<<17),
	strings.Repeat("answer is ", 1<<16), strings.Repeat("$x ", 1<<18), "9^9^9^9^9^9", "((10^300)!)!", `\sum_{k=1}^{900} \sum_{j=1}^{900} \sum_{i=1}^{900} 1`,
	`\int_0^1 \int_0^1 \int_0^1 x dx dx dx`, `\boxed{` + strings.Repeat("{", 2000) + strings.Repeat("}", 2000) + "}", strings.Repeat("9", 4000) + "^{99}", "1e999",
	strings.Repeat(`\[`, 1<<18),
}

// patience is far above what any hostile text takes, for a busy machine.
const patience = 20 * time.Second

func TestHostileTextsEnd(t *testing.T) {
	for _, h := range hostile {
		start := time.Now()
		same, err := Math("17", h)
		require.NoError(t, err)
		assert.False(t, same, "%.20q", h)
		SameMath(h, h+" ")
		assert.Less(t, time.Since(start), patience, "%.20q", h)
		t.Logf("%.20q: %v", h, time.Since(start).Round(time.Millisecond))
	}
}

func FuzzMath(f *testing.F) {
	for _, s := range append([]string{`\frac12`, `\{1,2\}`, `x=\pm\sqrt{2}`, `\begin{pmatrix}1&2\\3&4\end{pmatrix}`, `[1,2)\cup(3,\infty)`, "1,234.5e3%", "A: 3", `\left.`, `\`}, hostile[7:11]...) {
		f.Add(s, "x+1")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		assert.Equal(t, SameMath(a, b), SameMath(a, b))
		if _, ok := Final(a); ok {
			_, err := Math(a, b)
			assert.NoError(t, err)
		}
	})
}
