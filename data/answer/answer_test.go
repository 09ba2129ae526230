package answer

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestExtractorsFindTheirMark(t *testing.T) {
	for _, c := range []struct {
		name    string
		extract Extractor
		text    string
		want    string // empty for none
	}{
		{"hash", Hash, "a\n#### 1,234", "1,234"},
		{"hash without space", Hash, "####7", "7"},
		{"hash with dollar", Hash, "#### -$12.50 a day", "-$12.50"},
		{"hash, the last one", Hash, "#### 8 #### 9", "9"},
		{"hash without number", Hash, "#### none", ""},
		{"hash, last has no number", Hash, "#### 8\n#### none", "8"},
		{"hash and points only", Hash, "####...", ""},
		{"line", Line, "so\nA: 26", "26"},
		{"line with dollar", Line, "A: -$1,300.", "-$1,300."},
		{"line inside a line", Line, "QA: 26", ""},
		{"line without number", Line, "He has 5.\nA:", ""},
		{"last number", LastNumber, "first 3, then 4.5.", "4.5"},
		{"minus belongs to the number", LastNumber, "4-3", "-3"},
		{"decimals without whole", LastNumber, "about $.5", "$.5"},
		{"comma ends no number", LastNumber, "12, done", "12,"},
		{"no number", LastNumber, "none - $ . ,", ""},
		{"box", Boxed, `so \boxed{ 5 }.`, "5"},
		{"last box", Boxed, `\boxed{3} no, \fbox{4}`, "4"},
		{"box with braces", Boxed, `\boxed{\frac{1}{2}}`, `\frac{1}{2}`},
		{"box with escaped brace", Boxed, `\boxed{\{1,2\}}`, `\{1,2\}`},
		{"nested boxes", Boxed, `\boxed{a \boxed{b} c}`, "b"},
		{"open box", Boxed, `\boxed{3} then \boxed{4`, "3"},
		{"stray braces", Boxed, `} { \boxed{3} }`, "3"},
		{"no box", Boxed, `boxed{3}`, ""},
		{"gsm8k prefers marks", GSM8K, "16 - 3 = 13\n#### 18\nand 20", "18"},
		{"gsm8k line", GSM8K, "A: 3\nthen 20", "3"},
		{"gsm8k box", GSM8K, `\boxed{7} of 9`, "7"},
		{"gsm8k skips a box without number", GSM8K, `\boxed{x} is 9`, "9"},
		{"gsm8k falls back", GSM8K, "it is 9 eggs", "9"},
		{"gsm8k finds nothing", GSM8K, "eggs", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := c.extract(c.text)
			assert.Equal(t, c.want, got)
			assert.Equal(t, c.want != "", ok)
		})
	}
}

func TestNumberReadsWhatPeopleWrite(t *testing.T) {
	for text, want := range map[string]float64{
		"1,234": 1234, "$1,000.50": 1000.5, "-$5": -5, "$-5": -5, `\$5`: 5, "50%": 50, `50\%`: 50, "50 %.": 50,
		"42.": 42, " 7 ": 7, ".5": 0.5, "+3": 3, "1e3": 1000, "007": 7, "-0": 0,
	} {
		got, ok := Number(text)
		assert.True(t, ok, text)
		assert.Equal(t, want, got, text)
	}
	for _, text := range []string{"", ".", "-", "$", "%", "e", "inf", "NaN", "0x10", "1_000", "1.2.3", "4-3", "1 000", "3/4", "5%3", "five", "1e999", `\5`} {
		_, ok := Number(text)
		assert.False(t, ok, text)
	}
}

func TestEqual(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"18", "18.0", true},
		{"$1,234", "1234.", true},
		{"50%", "50", true},
		{"3", "3.0000001", true},
		{"3", "3.00001", false},
		{"3", "-3", false},
		{"3", "three", false},
		{"red  apple", " red apple.", true},
		{"red", "Red", false},
		{"", "", true},
		{"", "0", false},
		{"1.2.3", "1.2.3", true},
	} {
		assert.Equal(t, c.want, Equal(c.a, c.b), "%q %q", c.a, c.b)
		assert.Equal(t, c.want, Equal(c.b, c.a), "%q %q", c.b, c.a)
	}
}

func FuzzExtract(f *testing.F) {
	for _, s := range []string{"#### 1,2", "A: $3", `\boxed{\{}`, "-$.5", "\xff####\u0085 4", strings.Repeat(`\boxed{`, 50)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, e := range []Extractor{Hash, Line, LastNumber, Boxed, GSM8K} {
			a, ok := e(text)
			if !ok {
				assert.Empty(t, a)
				continue
			}
			assert.Contains(t, text, a)
		}
		if a, ok := GSM8K(text); ok {
			assert.True(t, Equal(a, a))
		}
	})
}
