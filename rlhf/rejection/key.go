package rejection

import (
	"encoding/binary"
	"regexp"
	"strings"

	"github.com/posttrain/posttrain/rlhf/rollout"
)

// text compares answers by what they say.
func text(c *rollout.Completion) string {
	if t := strings.TrimSpace(c.Text); t != "" {
		return t
	}
	var key []byte
	for _, id := range c.IDs() {
		key = binary.LittleEndian.AppendUint32(key, uint32(id))
	}
	return string(key)
}

// equation is a sum that is written out, such as "3*(4+5)=27".
var equation = regexp.MustCompile(`[-+(]*\d[\d.,]*(?:\s*[-+*/()xX×÷]+\s*\(*\d[\d.,]*\)*)*\s*=\s*-?\d[\d.,]*`)

// Equations compares answers by the equations in them and their order: another
// wording of the same steps is the same answer. Answers without any are compared by
// their texts. (Yuan et al. 2023, arXiv:2308.01825, §3.3.)
func Equations(c *rollout.Completion) string {
	var key strings.Builder
	for _, e := range equation.FindAllString(c.Text, -1) {
		key.WriteString(strings.TrimRight(strings.Join(strings.Fields(e), ""), ".,"))
		key.WriteByte('\n')
	}
	if key.Len() == 0 {
		return text(c)
	}
	return key.String()
}
