//go:build !amd64 || purego

package kernel

func detectLevel() level { return levelGeneric }
