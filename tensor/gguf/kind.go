package gguf

import "fmt"

// Kind is the type of a metadata value, with the file's numbers.
type Kind uint32

// The kinds of metadata values.
const (
	KindUint8 Kind = iota
	KindInt8
	KindUint16
	KindInt16
	KindUint32
	KindInt32
	KindFloat32
	KindBool
	KindString
	KindArray
	KindUint64
	KindInt64
	KindFloat64
)

var kinds = [...]struct {
	name string
	size uint64 // bytes, 0 where it varies
}{
	{"uint8", 1}, {"int8", 1}, {"uint16", 2}, {"int16", 2}, {"uint32", 4}, {"int32", 4}, {"float32", 4},
	{"bool", 1}, {"string", 0}, {"array", 0}, {"uint64", 8}, {"int64", 8}, {"float64", 8},
}

// String is the name of the kind in the specification, in lower case.
func (k Kind) String() string {
	if int64(k) < int64(len(kinds)) {
		return kinds[k].name
	}
	return fmt.Sprintf("kind %d", uint32(k))
}

func (k Kind) check() error {
	if int64(k) >= int64(len(kinds)) {
		return fmt.Errorf("got value type %d, want at most %d", uint32(k), len(kinds)-1)
	}
	return nil
}
