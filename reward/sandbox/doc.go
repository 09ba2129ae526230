// Package sandbox runs programs that nobody has read, such as those a model wrote, and
// contains them.
//
// A Runner runs a Program and returns what it wrote and how it ended. NewBubblewrap
// makes one over bubblewrap (the command bwrap, Linux only): the program sees the
// system's /usr read-only and a folder of its own in memory, and nothing else of the
// machine: no network, no other files, no other processes, no environment. Time,
// memory, processes, file sizes and output are limited, and when the program ends, or
// is stopped, everything that it started ends with it. Where bwrap is missing or the
// system does not let it work, NewBubblewrap fails; there is no weaker way to run.
//
// A program that was stopped is an error that wraps ErrStopped and says why; a program
// that ends by itself, with whatever exit status, is a Result.
//
// Limitations: containment is that of the kernel's namespaces, so a fault of the kernel
// is a way out; files below /usr and the Options.ReadOnly ones can be read. Limits of
// memory hold for each process: the most that can be taken in all is Memory times
// Processes, and Files for the folders in memory.
package sandbox
