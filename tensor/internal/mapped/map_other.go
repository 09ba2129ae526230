//go:build !unix

package mapped

import "os"

// mapFile maps nothing: sections are read when they are asked for.
func mapFile(*os.File, int64) ([]byte, func() error, error) { return nil, nil, nil }
