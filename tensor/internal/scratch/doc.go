// Package scratch writes files that appear complete or not at all: into a hidden
// file beside the target, forced to disk, then renamed.
package scratch
