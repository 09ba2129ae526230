// Package lint holds the repository's own rules as tests: the layers between
// packages, forbidden imports and calls, size limits, and documentation of every
// exported name. It exports nothing.
package lint
