package lora

import (
	"fmt"
	"slices"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/nn"
	"github.com/posttrain/posttrain/tensor"
)

// tokenRows is the update of Config.Tokens: some rows of the embedding or the head
// are the adapter's own.
type tokenRows struct {
	noBias
	beside bool // low-rank updates, as a file's names tell
	// tied says that the rows are the embedding's, which the head shares.
	tied bool
	rows *nn.TokenRows
}

// tokens is the update of a layer some of whose rows are trained; nil for another.
func (m *matcher) tokens(l *layer) (update, error) {
	for _, p := range m.Tokens {
		if l.kind != embedding && l.kind != head || !p.matches(l) {
			continue
		}
		v := (*l.weight).Shape()[0]
		for _, i := range p.Value {
			if i < 0 || i >= v {
				return nil, fmt.Errorf("%w: token %d of %s, want at least 0 and less than %d", ErrConfig, i, l.path, v)
			}
		}
		return &tokenRows{beside: m.Method != TrainableTokens, rows: &nn.TokenRows{Indices: p.Value}}, nil
	}
	return nil, nil
}

// matches says whether the tokens of an entry are rows of l. Without a name they are
// the embedding's.
func (p Pattern[T]) matches(l *layer) bool {
	if p.Key == "" {
		return l.kind == embedding
	}
	return named([]string{p.Key}, l.path)
}

// tie adds the module of a head that shares the embedding's trained rows with it, as
// in PEFT, unless the adapter changes the head otherwise.
func tie(m model.Model, modules []*module) []*module {
	if !model.Tied(m) || slices.ContainsFunc(modules, func(mod *module) bool { return mod.kind == head }) {
		return modules
	}
	for _, mod := range modules {
		if u, ok := mod.update.(*tokenRows); ok {
			list := layers(m)
			at := slices.IndexFunc(list, func(l layer) bool { return l.kind == head })
			return append(modules, &module{layer: list[at], update: &tokenRows{tied: true, beside: u.beside, rows: &nn.TokenRows{Indices: u.rows.Indices}}})
		}
	}
	return modules
}

// prepareRows gives heads what they need beside the rows, and those that are tied
// the rows.
func prepareRows(modules []*module) error {
	var shared *tensor.Param
	for _, m := range modules {
		u, ok := m.update.(*tokenRows)
		if !ok {
			continue
		}
		if u.tied {
			u.rows.Rows = shared
		}
		shared = u.rows.Rows
		if m.kind != head {
			continue
		}
		if err := u.prepareHead(m); err != nil {
			return err
		}
	}
	return nil
}

// prepareHead fills Old and Places.
func (u *tokenRows) prepareHead(m *module) error {
	w, err := wide(*m.weight)
	if err != nil {
		return err
	}
	v, d, k := m.out(), m.in(), len(u.rows.Indices)
	var old []float64
	places := make([]float64, v*k)
	for j, i := range u.rows.Indices {
		old = append(old, w[i*d:(i+1)*d]...)
		places[i*k+j] = 1
	}
	dt := u.rows.Rows.Dtype()
	if u.rows.Old, err = newParam(m.path+".token_rows", dt, old, k, d); err != nil {
		return err
	}
	u.rows.Places, err = newParam(m.path+".token_places", dt, places, v, k)
	return err
}

func newParam(name string, dt tensor.Dtype, x []float64, shape ...int) (*tensor.Param, error) {
	p, err := tensor.NewParam(name, x, shape...)
	if err != nil {
		return nil, err
	}
	return p.Convert(dt)
}

func (u *tokenRows) clone() update {
	c := *u
	c.rows = &nn.TokenRows{Indices: u.rows.Indices}
	return &c
}

func (u *tokenRows) adapter() any { return u.rows }

func (u *tokenRows) parts(m *module) []part {
	if u.tied {
		return nil
	}
	key := u.key()
	return []part{{key: key, file: m.file() + key, shape: []int{len(u.rows.Indices), (*m.weight).Shape()[1]}, param: &u.rows.Rows}}
}

// key is PEFT's name for what replaces the rows.
func (u *tokenRows) key() string {
	if u.beside {
		return tokenAdapter + "trainable_tokens_delta"
	}
	return "trainable_tokens_delta"
}

// draw copies the rows.
func (u *tokenRows) draw(m *module, _ Config) error {
	if u.tied {
		return nil
	}
	old, err := u.old(m)
	if err == nil {
		copyValues(u.rows.Rows, old)
	}
	return err
}

// old are the layer's own rows in the type of the adapter's.
func (u *tokenRows) old(m *module) (*tensor.Param, error) {
	w, err := wide(*m.weight)
	if err != nil {
		return nil, err
	}
	d := (*m.weight).Shape()[1]
	var rows []float64
	for _, i := range u.rows.Indices {
		rows = append(rows, w[i*d:(i+1)*d]...)
	}
	return newParam("rows", u.rows.Rows.Dtype(), rows, len(u.rows.Indices), d)
}

func (u *tokenRows) zero(m *module) bool {
	old, err := u.old(m)
	return err == nil && equalValues(old, u.rows.Rows)
}

func (u *tokenRows) merge(m *module, w []float64) error {
	rows, err := wide(u.rows.Rows)
	d := (*m.weight).Shape()[1]
	for j, i := range u.rows.Indices {
		copy(w[i*d:(i+1)*d], rows[j*d:(j+1)*d])
	}
	return err
}
