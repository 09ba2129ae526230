//go:build !unix

package report

import "time"

var began = time.Now()

// cpuTime is the time on the wall, where the system is not asked for more.
func cpuTime() time.Duration { return time.Since(began) }
