package auto

import (
	"cmp"
	"errors"
	"fmt"
	"math"

	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/tensor/gguf"
)

// ggufRoPE writes rope_scaling, from metadata keys or from the tensor of
// divisors that files of Llama 3.1 and later have.
func ggufRoPE(f *gguf.File, prefix string, fields map[string]any) error {
	if t, err := f.Tensor(ropeDivisors); err == nil {
		divisors, err := t.Float32()
		if err != nil {
			return err
		}
		fields["rope_scaling"] = divisorScaling(divisors, fields)
		return nil
	}
	kind, factorKey, err := scalingKind(f, prefix)
	if err != nil || kind == "" {
		return err
	}
	factor, err := real(f, factorKey)
	scaling := map[string]any{"rope_type": kind, "factor": factor}
	errs := []error{err}
	if key := prefix + "rope.scaling.original_context_length"; f.Has(key) {
		v, err := f.Int(key)
		errs = append(errs, err)
		scaling["original_max_position_embeddings"] = v
	}
	for _, n := range [][2]string{{"yarn_beta_fast", "beta_fast"}, {"yarn_beta_slow", "beta_slow"}} {
		if key := prefix + "rope.scaling." + n[0]; f.Has(key) {
			v, err := real(f, key)
			errs = append(errs, err)
			scaling[n[1]] = v
		}
	}
	fields["rope_scaling"] = scaling
	return errors.Join(errs...)
}

// scalingKind is the rope_type that the metadata tells, "" for none, and the key
// of its factor.
func scalingKind(f *gguf.File, prefix string) (kind, factorKey string, err error) {
	factorKey = prefix + "rope.scaling.factor"
	if old := prefix + "rope.scale_linear"; !f.Has(factorKey) && f.Has(old) {
		return "linear", old, nil
	}
	if key := prefix + "rope.scaling.type"; f.Has(key) {
		if kind, err = f.String(key); err != nil {
			return "", "", err
		}
	}
	switch kind {
	case "none", "":
		return "", "", nil
	case "linear", "yarn":
		return kind, factorKey, nil
	}
	return "", "", fmt.Errorf("%w: %s: %srope.scaling.type is %q, want none, linear or yarn", ErrUnsupported, f.Name(), prefix, kind)
}

// The frequency bounds of every published llama3 scaling.
const (
	llama3Low  = 1.0
	llama3High = 4.0
)

// divisorTolerance is how closely a rule must explain the divisors, which are
// float32.
const divisorTolerance = 1e-5

// divisorScaling explains divisors of rotary frequencies. It looks for the
// llama3 rule that gives them: the factor is the largest divisor, and a divisor
// between 1 and the factor tells the original context length. Divisors that no
// such rule gives are kept as they are, as a longrope scaling that does not
// depend on the length.
func divisorScaling(divisors []float32, fields map[string]any) map[string]any {
	factor := 0.0
	for _, d := range divisors {
		factor = max(factor, float64(d))
	}
	theta, _ := fields["rope_theta"].(float64)
	theta = cmp.Or(theta, 10000)
	for _, original := range originalLengths(divisors, factor, theta) {
		s := tensor.RoPEScaling{
			Type: "llama3", Theta: theta, Factor: factor, LowFreqFactor: llama3Low, HighFreqFactor: llama3High,
			OriginalMaxPositionEmbeddings: original, MaxPositionEmbeddings: original,
		}
		if explains(s, divisors) {
			return map[string]any{
				"rope_type": "llama3", "factor": factor, "low_freq_factor": llama3Low, "high_freq_factor": llama3High,
				"original_max_position_embeddings": original,
			}
		}
	}
	return map[string]any{
		"rope_type": "longrope", "factor": 1.0, "attention_factor": 1.0, "short_factor": divisors, "long_factor": divisors,
		"original_max_position_embeddings": fields["max_position_embeddings"],
	}
}

// originalLengths lists candidates for the context length before the extension:
// what each divisor in the smooth range implies, and the length of Llama 3.
func originalLengths(divisors []float32, factor, theta float64) []int {
	var list []int
	for i, d := range divisors {
		if d <= 1 || float64(d) >= factor {
			continue
		}
		keep := (1/float64(d) - 1/factor) / (1 - 1/factor)
		turns := llama3Low + keep*(llama3High-llama3Low)
		freq := math.Pow(theta, -float64(i)/float64(len(divisors)))
		if length := turns * 2 * math.Pi / freq; length < 1<<30 {
			list = append(list, int(math.Round(length)))
		}
	}
	return append(list, 8192)
}

// explains says whether a scaling gives these divisors.
func explains(s tensor.RoPEScaling, divisors []float32) bool {
	got, _, err := tensor.RoPEFrequencies(s, 2*len(divisors), 0)
	if err != nil {
		return false
	}
	for i, d := range divisors {
		plain := math.Pow(s.Theta, -float64(i)/float64(len(divisors)))
		if math.Abs(plain/got[i]/float64(d)-1) > divisorTolerance {
			return false
		}
	}
	return true
}
