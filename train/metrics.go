package train

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"strconv"
)

// Metrics is a set of named numbers in the order in which they were first
// given. Once it has seen its names it allocates nothing. The zero value is
// ready to use. It is not safe for concurrent use.
type Metrics struct {
	slots []metric
	index map[string]int // name to slot, for all names ever seen
	order []int          // slots in use, in order of arrival
}

// metric is a value as a weighted sum.
type metric struct {
	name        string
	key         []byte // ,"name": as JSON
	tag         string // name in event files, "" until it is needed
	sum, weight float64
	used        bool
}

// Add adds an observation to the weighted mean of the name: the metric is
// Σ value·weight / Σ weight. Observations of weight 0 are ignored; without any
// other the name is absent.
func (m *Metrics) Add(name string, value, weight float64) {
	if weight == 0 {
		return
	}
	s := m.slot(name)
	s.sum += value * weight
	s.weight += weight
}

// Set gives the name a value in place of what it had.
func (m *Metrics) Set(name string, value float64) {
	s := m.slot(name)
	s.sum, s.weight = value, 1
}

// Value is the metric of that name; ok is false when there is none.
func (m *Metrics) Value(name string) (value float64, ok bool) {
	i, ok := m.index[name]
	if !ok || !m.slots[i].used {
		return 0, false
	}
	return m.slots[i].value(), true
}

// Len is the number of metrics.
func (m *Metrics) Len() int { return len(m.order) }

// All lists names and values in order of arrival.
func (m *Metrics) All() iter.Seq2[string, float64] {
	return func(yield func(string, float64) bool) {
		for _, i := range m.order {
			if !yield(m.slots[i].name, m.slots[i].value()) {
				return
			}
		}
	}
}

// Reset empties the set and keeps its memory.
func (m *Metrics) Reset() {
	for _, i := range m.order {
		s := &m.slots[i]
		s.sum, s.weight, s.used = 0, 0, false
	}
	m.order = m.order[:0]
}

func (m *Metrics) slot(name string) *metric {
	i, ok := m.index[name]
	if !ok {
		if m.index == nil {
			m.index = map[string]int{}
		}
		i = len(m.slots)
		m.index[name] = i
		m.slots = append(m.slots, metric{name: name, key: jsonKey(name)})
	}
	if s := &m.slots[i]; !s.used {
		s.used = true
		m.order = append(m.order, i)
	}
	return &m.slots[i]
}

// value keeps a value given by Set exact: dividing by 1 changes nothing.
func (s *metric) value() float64 { return s.sum / s.weight }

// appendFields appends ,"name":value for every metric.
func (m *Metrics) appendFields(dst []byte) []byte {
	for _, i := range m.order {
		dst = append(dst, m.slots[i].key...)
		dst = appendNumber(dst, m.slots[i].value())
	}
	return dst
}

// MarshalJSON writes an object in order of arrival; numbers that are not finite
// become null.
func (m *Metrics) MarshalJSON() ([]byte, error) {
	dst := m.appendFields([]byte{})
	if len(dst) == 0 {
		return []byte("{}"), nil
	}
	dst[0] = '{' // was the comma of the first field
	return append(dst, '}'), nil
}

// UnmarshalJSON reads an object of numbers; null becomes NaN.
func (m *Metrics) UnmarshalJSON(raw []byte) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("train: metrics: got %v (%v), want an object of numbers", t, err)
	}
	m.Reset()
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		value := math.NaN()
		var given *float64
		if err := d.Decode(&given); err != nil {
			return fmt.Errorf("train: metrics: %v: %w", name, err)
		}
		if given != nil {
			value = *given
		}
		m.Set(name.(string), value) // keys of an object are strings
	}
	return nil
}

// clone is a copy that shares nothing.
func (m *Metrics) clone() *Metrics {
	c := &Metrics{}
	for name, value := range m.All() {
		c.Set(name, value)
	}
	return c
}

// jsonKey is name as the key of a further field of an object.
func jsonKey(name string) []byte {
	quoted, _ := json.Marshal(name) // a string always encodes
	return append(append([]byte{','}, quoted...), ':')
}

// appendNumber writes v with all its digits; JSON has no NaN and no infinity,
// which become null.
func appendNumber(dst []byte, v float64) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return append(dst, "null"...)
	}
	return strconv.AppendFloat(dst, v, 'g', -1, 64)
}
