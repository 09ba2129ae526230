// Package widen turns the little-endian numbers of weight files into float32.
//
// Every function fills dst from len(dst) numbers in src, which may start at any
// address. Conversions are exact where float32 can hold the value and round to
// nearest, ties to even, where it cannot (F64, I32, I64, U32, U64).
package widen
