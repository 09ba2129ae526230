// Package mapped opens weight files for reading without loading them: mapped
// into memory where the system can (Unix), read piece by piece elsewhere.
//
// A mapped file that is cut short by another process while it is in use would
// kill this process with a bus error. [File.Guard] and [File.Parallel] turn that
// fault into [ErrChanged], so every access to mapped bytes belongs inside one of
// them. A file that is overwritten in place without changing its length cannot
// be noticed: writers must replace files by rename.
//
// The bytes that [File.Section] returns are valid until [File.Close]. Close
// waits for nobody: a guarded call in progress keeps the mapping alive until it
// returns, and the last one releases it.
package mapped
