package reward

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestJSON(t *testing.T) {
	table(t, JSON(), "", map[string]float64{
		`{"a":[1,2]}`: 1, "```json\n[1]\n```": 1, "12": 1, "": 0, "{": 0, "1 2": 0, "NaN": 0, "```[1]": 0, "here: {}": 0,
		strings.Repeat("[", 64) + strings.Repeat("]", 64): 1, strings.Repeat("[", 65) + strings.Repeat("]", 65): 0,
	})
}

func TestSchema(t *testing.T) {
	for schema, want := range map[string]map[string]float64{
		`{"type":"object","required":["a"],"properties":{"a":{"type":"integer","minimum":0},"b":{"type":["string","null"]}},"additionalProperties":false}`: {
			`{"a":1}`: 1, `{"a":1.0,"b":null}`: 1, `{"a":1.5}`: 0, `{"a":-1}`: 0, `{"b":"x"}`: 0, `{"a":1,"c":2}`: 0, `[]`: 0, `{"a":"1"}`: 0,
		},
		`{"type":"array","items":{"enum":["x","y",1]},"minItems":1,"maxItems":3,"uniqueItems":true}`: {`["x",1.0]`: 1, `[]`: 0, `["x","x"]`: 0, `["z"]`: 0, `[1,1.0]`: 0},
		`{"prefixItems":[{"const":1}],"items":false}`:                                                {`[1]`: 1, `[1,2]`: 0, `[2]`: 0, `[]`: 1, `"other"`: 1},
		`{"type":"string","minLength":2,"maxLength":3,"pattern":"^é"}`:                               {`"éa"`: 1, `"é"`: 0, `"éabc"`: 0, `"ab"`: 0},
		`{"exclusiveMinimum":0,"exclusiveMaximum":1,"multipleOf":0.1}`:                               {`0.3`: 1, `0`: 0, `1`: 0, `0.35`: 0, `"x"`: 1, `1e999`: 0},
		`{"anyOf":[{"type":"null"},{"const":{"a":[1]}}]}`:                                            {`null`: 1, `{"a":[1]}`: 1, `{"a":[2]}`: 0},
		`{"oneOf":[{"minimum":1},{"minimum":2}]}`:                                                    {`1`: 1, `2`: 0},
		`{"allOf":[{"minimum":1}],"not":{"const":3}}`:                                                {`2`: 1, `3`: 0, `0`: 0},
	} {
		table(t, must(t)(Schema([]byte(schema))), "", want)
	}
	for _, bad := range []string{"", "[]", `{"$ref":"#"}`, `{"type":"text"}`, `{"pattern":"("}`, `{"required":[1]}`, `{"minimum":"1"}`, `{"properties":{"a":3}}`, `{"anyOf":[]}`} {
		_, err := Schema([]byte(bad))
		assert.ErrorIs(t, err, ErrOptions, bad)
	}
}

func FuzzVerifiers(f *testing.F) {
	schema, _ := Schema([]byte(`{"properties":{"a":{"type":"integer"}},"uniqueItems":true}`))
	repetition, _ := Repetition(3, -1)
	script, _ := Script("Latin")
	all := []Verifier{Exact(), GSM8K(), Boxed(), Math(), Numeric(0, 0), Fraction(), Percent(), MultipleChoice('E'), Think(), Tags("a"), TagCount("a"), JSON(), schema, repetition, script}
	for _, s := range []string{"B", `\boxed{1/2}`, `{"a":1e5}`, "<a>5</a>", "1 1/2", strings.Repeat("[", 99), "\xff%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, v := range all {
			reference := "1"
			if v.Name() == "multiple_choice" {
				reference = "A"
			}
			s := Sample{Completion: text, Reference: reference}
			got, err := v.Verify(context.Background(), s)
			assert.NoError(t, err, v.Name())
			again, _ := v.Verify(context.Background(), s)
			assert.Equal(t, got, again, v.Name())
			assert.True(t, got >= -1 && got <= 1, v.Name())
		}
	})
}

func TestHostileCompletions(t *testing.T) {
	repetition, _ := Repetition(8, -1)
	for _, s := range []string{strings.Repeat("a ", 1<<19), strings.Repeat("[", 1<<20), strings.Repeat("answer ", 1<<17), strings.Repeat("<a>", 1<<18)} {
		for _, v := range []Verifier{Math(), MultipleChoice('D'), Tags("a", "b"), JSON(), repetition, Fraction()} {
			got, err := v.Verify(context.Background(), Sample{Completion: s, Reference: map[bool]string{true: "B", false: "5"}[v.Name() == "multiple_choice"]})
			assert.NoError(t, err)
			assert.LessOrEqual(t, got, 0.0, "%s %.10q", v.Name(), s)
		}
	}
}
