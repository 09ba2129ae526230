package jinja

import (
	"math"
	"strconv"
)

// smallDict is the number of keys up to which a dict is searched in order; larger
// ones have an index.
const smallDict = 8

// dict is a mapping that keeps the order of its keys.
type dict struct {
	keys, values []Value
	hashes       []hash
	index        map[hash]int // nil for small dicts
}

// hash is a key's identity: equal for keys that are equal in Python.
type hash struct {
	kind byte // 's' text, 'n' int, 'f' float, 't' tuple, '0' None, 'u' undefined, 'p' pointer
	text string
	n    int64
	ptr  Value
}

// get returns the value of a key.
func (d *dict) get(h hash) (Value, bool) {
	if i := d.find(h); i >= 0 {
		return d.values[i], true
	}
	return nil, false
}

// field returns the value of a text key.
func (d *dict) field(name string) (Value, bool) { return d.get(hash{kind: 's', text: name}) }

func (d *dict) find(h hash) int {
	if d.index != nil {
		if i, ok := d.index[h]; ok {
			return i
		}
		return -1
	}
	for i := range d.hashes {
		if d.hashes[i].kind == h.kind && d.hashes[i] == h {
			return i
		}
	}
	return -1
}

// set adds a key or changes its value; the first key object stays, as in Python.
func (d *dict) set(h hash, key, value Value) {
	if i := d.find(h); i >= 0 {
		d.values[i] = value
		return
	}
	d.keys, d.values, d.hashes = append(d.keys, key), append(d.values, value), append(d.hashes, h)
	if d.index != nil {
		d.index[h] = len(d.keys) - 1
		return
	}
	if len(d.keys) > smallDict {
		d.index = make(map[hash]int, 2*len(d.keys))
		for i, h := range d.hashes {
			d.index[h] = i
		}
	}
}

// setField sets a text key.
func (d *dict) setField(name string, value Value) {
	d.set(hash{kind: 's', text: name}, str(name), value)
}

func (d *dict) len() int { return len(d.keys) }

// hash returns a key's identity, or false for values that cannot be keys.
func (x *exec) hash(v Value) (hash, bool) {
	switch v := v.(type) {
	case str:
		x.work(len(v))
		return hash{kind: 's', text: string(v)}, true
	case markup:
		x.work(len(v))
		return hash{kind: 's', text: string(v)}, true
	case none:
		return hash{kind: '0'}, true
	case boolean:
		if v {
			return hash{kind: 'n', n: 1}, true
		}
		return hash{kind: 'n'}, true
	case integer:
		return hash{kind: 'n', n: int64(v)}, true
	case bigint:
		x.step(v.n.BitLen())
		return hash{kind: 'n', text: v.n.String()}, true
	case float:
		return hashFloat(float64(v)), true
	case *undefined:
		return hash{kind: 'u'}, true
	case *tuple:
		return x.hashTuple(v)
	case *list, *dict, *view:
		return hash{}, false
	}
	return hash{kind: 'p', ptr: v}, true
}

// hashFloat makes whole floats equal to ints.
func hashFloat(f float64) hash {
	if f == math.Trunc(f) && math.Abs(f) < 1<<63 {
		return hash{kind: 'n', n: int64(f)}
	}
	if f == math.Trunc(f) && !math.IsInf(f, 0) {
		return hash{kind: 'n', text: bigFloat(f).String()}
	}
	return hash{kind: 'f', text: strconv.FormatFloat(f, 'g', -1, 64)}
}

// hashTuple spells out the items' identities, each with its length in front.
// Items compared by pointer are spelled by their type only, so such tuples are
// refused as keys.
func (x *exec) hashTuple(t *tuple) (hash, bool) {
	x.nest()
	defer x.unnest()
	text := []byte{}
	for _, item := range t.items {
		h, ok := x.hash(item)
		if !ok || h.kind == 'p' {
			return hash{}, false
		}
		text = append(text, h.kind)
		text = strconv.AppendInt(text, h.n, 10)
		text = append(text, ':')
		text = strconv.AppendInt(text, int64(len(h.text)), 10)
		text = append(append(text, ':'), h.text...)
		x.room(len(text))
	}
	return hash{kind: 't', text: string(text)}, true
}

// key returns the identity of a key or fails.
func (x *exec) key(v Value) hash {
	h, ok := x.hash(v)
	if !ok {
		x.fail("TypeError: unhashable type: '%s'", v.typeName())
	}
	return h
}
