package train

import (
	"encoding/json"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	// Tables hold all digits of float64; the formulas agree up to the order of
	// two or three operations.
	scheduleTolerance = 1e-14
)

// number is a JSON number or "nan", "inf", "-inf".
type number float64

func (n *number) UnmarshalJSON(raw []byte) error {
	switch strings.Trim(string(raw), `"`) {
	case "nan":
		*n = number(math.NaN())
		return nil
	case "inf":
		*n = number(math.Inf(1))
		return nil
	case "-inf":
		*n = number(math.Inf(-1))
		return nil
	}
	return json.Unmarshal(raw, (*float64)(n))
}

// flatten reads a tensor of any rank in row-major order.
func flatten(t *testing.T, raw json.RawMessage) []float64 {
	var parts []json.RawMessage
	if json.Unmarshal(raw, &parts) != nil {
		var n number
		require.NoError(t, json.Unmarshal(raw, &n))
		return []float64{float64(n)}
	}
	var all []float64
	for _, p := range parts {
		all = append(all, flatten(t, p)...)
	}
	return all
}

func flatParam(name string, values []float64, wide bool) *toyParam {
	p := &toyParam{name: name}
	if wide {
		p.data64, p.gr64 = slices.Clone(values), make([]float64, len(values))
		return p
	}
	p.data, p.grad = make([]float32, len(values)), make([]float32, len(values))
	for i, v := range values {
		p.data[i] = float32(v)
	}
	return p
}

func (p *toyParam) setGrad(g []float64) {
	for i, v := range g {
		if p.gr64 != nil {
			p.gr64[i] = v
		} else {
			p.grad[i] = float32(v)
		}
	}
}

func (p *toyParam) values() []float64 {
	all := make([]float64, max(len(p.data), len(p.data64)))
	for i := range all {
		all[i] = p.at(i)
	}
	return all
}

type scheduleCase struct {
	ID, Name string
	Warmup   *int            `json:"num_warmup_steps"`
	Total    *int            `json:"num_training_steps"`
	Kwargs   json.RawMessage // the library's names, which are our JSON names
	Base     float64         `json:"lr_base"`
	LR       []float64
	Metrics  []float64
}

// schedule reads the case through the options' own JSON, so that the names in
// saved options are tested too.
func (c *scheduleCase) schedule(t *testing.T) Schedule {
	fields := map[string]any{}
	if len(c.Kwargs) > 0 {
		require.NoError(t, json.Unmarshal(c.Kwargs, &fields))
	}
	name := c.Name
	switch name {
	case "constant":
		name = "constant_with_warmup"
	case "cosine_with_min_lr":
		name = "cosine"
	}
	if fields["mode"] == "max" {
		fields["higher_is_better"] = true
	}
	if fields["threshold_mode"] == "abs" {
		fields["absolute_threshold"] = true
	}
	delete(fields, "mode")
	delete(fields, "threshold_mode")
	if c.Warmup != nil {
		fields["warmup_steps"] = *c.Warmup
	}
	fields["name"] = name
	raw, err := json.Marshal(map[string]any{"schedule": fields})
	require.NoError(t, err)
	var o Options
	require.NoError(t, json.Unmarshal(raw, &o))
	require.NoError(t, o.Schedule.Validate())
	require.Equal(t, name, o.Schedule.Name())
	return o.Schedule
}

func TestOracleSchedules(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "optim") {
		var file struct{ Cases []scheduleCase }
		oracle.ReadJSON(t, filepath.Join(root, "schedules.json"), &file)
		for _, c := range file.Cases {
			t.Run(c.ID, func(t *testing.T) {
				s := c.schedule(t)
				total := 0
				if c.Total != nil {
					total = *c.Total
				}
				r, reactive := s.(Reactive)
				require.Equal(t, c.Metrics != nil, reactive)
				var state Reaction
				if reactive {
					state = r.Start(c.Base)
				}
				for step, want := range c.LR {
					got := s.LR(step, total, c.Base)
					if reactive {
						got = state.Rate()
					}
					assert.InDelta(t, want, got, scheduleTolerance*c.Base, "step %d", step)
					if reactive && step < len(c.Metrics) {
						state.Observe(c.Metrics[step])
					}
				}
			})
			tally.Compared(1)
		}
	}
}
