package train

import (
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/posttrain/posttrain/internal/kernel"
	"github.com/posttrain/posttrain/tensor"
)

// Machine says on what and with which versions something was computed.
type Machine struct {
	Go        string `json:"go"`        // version of the toolchain
	Posttrain string `json:"posttrain"` // version of this module
	System    string `json:"system"`    // operating system and architecture
	CPU       string `json:"cpu"`       // model name, where the system tells
	ISA       string `json:"isa"`       // instruction set of the kernels in use
	Threads   int    `json:"threads"`   // cores that the device uses
}

const modulePath = "github.com/posttrain/posttrain"

// ThisMachine describes the machine and the device; nil is the default device.
func ThisMachine(d *tensor.Device) Machine {
	if d == nil {
		d = tensor.DefaultDevice()
	}
	return Machine{
		Go: runtime.Version(), Posttrain: moduleVersion(), System: runtime.GOOS + "/" + runtime.GOARCH,
		CPU: cpuName(), ISA: kernel.Level(), Threads: d.Threads(),
	}
}

// moduleVersion is the version under which this module was built in.
func moduleVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == modulePath {
			return m.Version
		}
	}
	return ""
}

// cpuName is the CPU's name on Linux, "" elsewhere.
func cpuName() string {
	raw, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(raw)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
