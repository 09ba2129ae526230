package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sort"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/posttrain/posttrain/tensor"
)

// device is the CPU with the threads that were asked for.
func (s *settings) device() *tensor.Device {
	if s.threads > 0 && shared == nil {
		shared = tensor.NewDevice(s.threads)
	}
	if shared == nil {
		shared = tensor.DefaultDevice()
	}
	return shared
}

// shared is the process's only device.
var shared *tensor.Device

// isa is the instruction set in use.
func isa() string { return tensor.InstructionSet() }

// weights is the storage type that -dtype names.
func (s *settings) weights() (tensor.Dtype, error) {
	switch s.dtype {
	case "float32":
		return tensor.Float32, nil
	case "bfloat16":
		return tensor.BFloat16, nil
	case "float16":
		return tensor.Float16, nil
	}
	return tensor.Dtype{}, fmt.Errorf("-dtype: got %q, want float32, bfloat16 or float16", s.dtype)
}

// peakRSS is the largest resident memory of the process so far in MiB; 0 where
// /proc is missing.
func peakRSS() float64 {
	raw, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for _, line := range strings.Split(string(raw), "\n") {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 64)
			if err == nil {
				return kib / 1024
			}
		}
	}
	return 0
}

// sinceStart is the time since the process was started, in seconds; from the
// start of main where /proc is missing.
func sinceStart() float64 {
	stat, err1 := os.ReadFile("/proc/self/stat")
	up, err2 := os.ReadFile("/proc/uptime")
	if err1 != nil || err2 != nil {
		return time.Since(mainStart).Seconds()
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	const startTime, ticksPerSecond = 19, 100 // field 22 of proc(5), counted from 1
	ticks, err1 := strconv.ParseFloat(fields[startTime], 64)
	now, err2 := strconv.ParseFloat(strings.Fields(string(up))[0], 64)
	if err1 != nil || err2 != nil {
		return time.Since(mainStart).Seconds()
	}
	return now - ticks/ticksPerSecond
}

// mainStart stands in for the start of the process.
var mainStart = time.Now()

// table prints a result line for people.
func table(w io.Writer, line []byte) error {
	var fields map[string]any
	if err := json.Unmarshal(line, &fields); err != nil {
		return err
	}
	var names []string
	for n := range fields {
		if n != "event" {
			names = append(names, n)
		}
	}
	sort.Strings(names)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, n := range names {
		fmt.Fprintf(tw, "%s\t%v\n", n, fields[n])
	}
	return tw.Flush()
}
