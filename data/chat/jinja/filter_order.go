package jinja

import "slices"

// orderFilters sort and compare items.
var orderFilters = []*builtin{
	{name: "sort", params: []string{"reverse?", "case_sensitive?", "attribute?"}, fixed: filterSort},
	{name: "dictsort", params: []string{"case_sensitive?", "by?", "reverse?"}, fixed: filterDictSort},
	{name: "unique", params: []string{"case_sensitive?", "attribute?"}, fixed: filterUnique},
	{name: "groupby", params: []string{"attribute", "default?", "case_sensitive?"}, fixed: filterGroupBy},
	{name: "min", params: []string{"case_sensitive?", "attribute?"}, fixed: func(x *exec, v Value, a []Value) Value {
		return x.extreme("<", v, a)
	}},
	{name: "max", params: []string{"case_sensitive?", "attribute?"}, fixed: func(x *exec, v Value, a []Value) Value {
		return x.extreme(">", v, a)
	}},
}

// fold is ignore_case: texts are compared in lower case.
func (x *exec) fold(v Value) Value {
	if s, ok := textOf(v); ok {
		x.room(len(s))
		return str(lower(s))
	}
	return v
}

// keyOf makes the function that an item is ordered by.
func (x *exec) keyOf(attribute, caseSensitive Value) func(Value) Value {
	get := x.getter(attribute, nil)
	if x.flag(caseSensitive) {
		return get
	}
	return func(v Value) Value { return x.fold(get(v)) }
}

// keyed is an item with its sort key.
type keyed struct{ key, item Value }

// sorted sorts items by their keys, stably also in reverse.
func (x *exec) sorted(items []keyed, reverse bool) []keyed {
	slices.SortStableFunc(items, func(a, b keyed) int {
		order := 0
		if x.less("<", a.key, b.key) {
			order = -1
		} else if x.less("<", b.key, a.key) {
			order = 1
		}
		if reverse {
			return -order
		}
		return order
	})
	return items
}

// filterSort sorts by the item itself or by attributes, given with commas
// between them.
func filterSort(x *exec, v Value, a []Value) Value {
	var keys []func(Value) Value
	if s, ok := textOf(orElse(a[2], none{})); ok {
		for _, part := range splitOn(s, ",", -1) {
			keys = append(keys, x.keyOf(str(part), a[1]))
		}
	} else {
		keys = append(keys, x.keyOf(a[2], a[1]))
	}
	items := x.items(v)
	x.container(3 * len(items))
	rows := make([]keyed, len(items))
	for i, item := range items {
		key := &list{make([]Value, len(keys))}
		for k, get := range keys {
			key.items[k] = get(item)
		}
		x.container(len(keys))
		rows[i] = keyed{key, item}
	}
	return &list{plain(x.sorted(rows, x.flag(a[0])))}
}

func plain(rows []keyed) []Value {
	out := make([]Value, len(rows))
	for i, r := range rows {
		out[i] = r.item
	}
	return out
}

func filterDictSort(x *exec, v Value, a []Value) Value {
	d, ok := v.(*dict)
	if !ok {
		if u, ok := v.(*undefined); ok {
			x.refuse(u)
		}
		x.fail("AttributeError: '%s' object has no attribute 'items'", v.typeName())
	}
	by, _ := textOf(orElse(a[1], str("key")))
	if by != "key" && by != "value" {
		x.fail(`FilterArgumentError: You can only sort by either "key" or "value"`)
	}
	x.container(4 * d.len())
	rows := make([]keyed, d.len())
	for i, key := range d.keys {
		k := key
		if by == "value" {
			k = d.values[i]
		}
		if !x.flag(a[0]) {
			k = x.fold(k)
		}
		rows[i] = keyed{k, pair(key, d.values[i])}
	}
	return &list{plain(x.sorted(rows, x.flag(a[2])))}
}

func filterUnique(x *exec, v Value, a []Value) Value {
	get := x.keyOf(a[1], a[0])
	from := x.iterate(v)
	seen := map[hash]bool{}
	return x.lazy("generator", func() (Value, bool) {
		for item, ok := from(); ok; item, ok = from() {
			h := x.key(get(item))
			x.made(entryBytes)
			if !seen[h] {
				seen[h] = true
				return item, true
			}
		}
		return nil, false
	})
}

// extreme returns the first item whose key is below (op "<") or above all others.
func (x *exec) extreme(op string, v Value, a []Value) Value {
	get := x.keyOf(a[1], a[0])
	next := x.iterate(v)
	best, ok := next()
	if !ok {
		return missing("No aggregated item, sequence was empty.")
	}
	key := get(best)
	for item, ok := next(); ok; item, ok = next() {
		if k := get(item); x.less(op, k, key) {
			best, key = item, k
		}
	}
	return best
}

// filterGroupBy sorts items by an attribute and returns (grouper, list) pairs.
func filterGroupBy(x *exec, v Value, a []Value) Value {
	get := x.getter(a[0], a[1])
	key := func(v Value) Value {
		if x.flag(a[2]) {
			return get(v)
		}
		return x.fold(get(v))
	}
	items := x.items(v)
	x.container(4 * len(items))
	rows := make([]keyed, len(items))
	for i, item := range items {
		rows[i] = keyed{key(item), item}
	}
	rows = x.sorted(rows, false)
	var out []Value
	for start := 0; start < len(rows); {
		end := start + 1
		for end < len(rows) && x.equal(rows[start].key, rows[end].key) {
			end++
		}
		group := plain(rows[start:end])
		out = append(out, &tuple{items: []Value{get(group[0]), &list{group}}, names: []string{"grouper", "list"}})
		start = end
	}
	return &list{out}
}
