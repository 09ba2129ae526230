package folder

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func param(t *testing.T, data []float32, shape ...int) *tensor.Param {
	t.Helper()
	p, err := tensor.NewParam("p", data, shape...)
	require.NoError(t, err)
	return p
}

func TestParametersComeBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.safetensors")
	wide, err := tensor.NewParam("wide", []float64{math.Pi, -1e-300}, 2)
	require.NoError(t, err)
	require.NoError(t, Write(path, []Tensor{{"a", param(t, []float32{1, 2, 3, 4}, 2, 2)}, {"b", wide}}))
	a := param(t, make([]float32, 4), 2, 2)
	b, err := tensor.NewParam("wide", make([]float64, 2), 2)
	require.NoError(t, err)
	require.NoError(t, Read(path, []Tensor{{"b", b}, {"a", a}}))
	assert.Equal(t, []float32{1, 2, 3, 4}, a.Data())
	assert.Equal(t, wide.Data64(), b.Data64(), "float64 keeps every bit")
	require.NoError(t, Holds(path, 6))
	assert.ErrorIs(t, Holds(path, 1<<20), ErrWeights)

	for want, list := range map[string][]Tensor{
		"tensor c is missing, want shape [2 2]": {{"a", a}, {"b", b}, {"c", a}},
		"tensor a has shape [2 2], want [4]":    {{"a", param(t, make([]float32, 4), 4)}, {"b", b}},
		"tensor b is unknown":                   {{"a", a}},
	} {
		err := Read(path, list)
		require.ErrorIs(t, err, ErrWeights)
		assert.ErrorContains(t, err, want)
	}
	assert.ErrorIs(t, Read(path+".none", nil), os.ErrNotExist)
	require.NoError(t, Write(path, []Tensor{{"a", param(t, []float32{1, float32(math.Inf(1))}, 2)}}))
	assert.ErrorContains(t, Read(path, []Tensor{{"a", param(t, make([]float32, 2), 2)}}), "element 1 is +Inf, want a finite number")
}

func TestConfigurations(t *testing.T) {
	type config struct {
		A int  `json:"a"`
		B *int `json:"b"`
	}
	dir := t.TempDir()
	require.NoError(t, WriteConfig(dir, config{A: 3}))
	var c config
	require.NoError(t, ReadConfig(dir, &c))
	assert.Equal(t, config{A: 3}, c)
	for raw, want := range map[string]string{
		`{"a": 1, "c": null, "d": [ ], "e": {}, "f": "", "g": 0, "h": false, "peft_version": "1"}`: "",
		`{"a": 1, "use_dora": true}`:           "use_dora: got true, which is not supported, want null or false",
		`{"a": "x"}`:                           "cannot unmarshal string",
		`[]`:                                   "cannot unmarshal array",
		`{`:                                    "unexpected end",
		string(make([]byte, maxConfigBytes+1)): "got more than 1048576 bytes",
	} {
		err := ParseConfig([]byte(raw), &c)
		if want == "" {
			assert.NoError(t, err)
			continue
		}
		assert.ErrorContains(t, err, want)
	}
	left, err := filepath.Glob(filepath.Join(dir, ".*"))
	require.NoError(t, err)
	assert.Empty(t, left, "scratch files")
}
