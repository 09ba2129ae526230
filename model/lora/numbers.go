package lora

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
)

// numbers decides by the number in a layer's path, as in model.layers.7.mlp.
type numbers struct {
	layers []int
	places []*regexp.Regexp // each finds the number, as its group idx
}

// newNumbers prepares Config.Layers and Config.LayersPattern.
func newNumbers(layers []int, patterns []string) (numbers, error) {
	if len(patterns) == 0 {
		patterns = []string{`[^.]*`}
	}
	n := numbers{layers: layers}
	var errs []error
	for _, p := range patterns {
		re, err := regexp.Compile(`^(?:.*?\.)??(?:` + p + `)\.(?P<idx>\d+)\.`)
		if err != nil {
			errs = append(errs, fmt.Errorf("%w: layers pattern %.80q: %w", ErrConfig, p, err))
			continue
		}
		n.places = append(n.places, re)
	}
	return n, errors.Join(errs...)
}

// allow says whether the number in path is one of those listed. Without a list
// every path is fine.
func (n numbers) allow(path string) bool {
	if len(n.layers) == 0 {
		return true
	}
	for _, re := range n.places {
		if found := re.FindStringSubmatch(path); found != nil {
			k, err := strconv.Atoi(found[re.SubexpIndex("idx")])
			return err == nil && slices.Contains(n.layers, k)
		}
	}
	return false
}
