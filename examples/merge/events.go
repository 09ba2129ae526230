package main

import (
	"fmt"
	"strings"

	"github.com/posttrain/posttrain/examples/internal/cli"
)

// say prints an event for people, or as JSON.
func say(event string, e fmt.Stringer) error {
	if *asJSON {
		return cli.Line(event, e)
	}
	_, err := fmt.Println(e)
	return err
}

type started struct {
	Model      string `json:"model"`
	ModelType  string `json:"model_type"`
	Parameters int    `json:"parameters"`
	Adapter    string `json:"adapter,omitempty"`
	Out        string `json:"out"`
	Dtype      string `json:"dtype,omitempty"`
}

func (e started) String() string {
	return fmt.Sprintf("%s: %s, %.1f million parameters", e.Model, e.ModelType, float64(e.Parameters)/1e6)
}

type merged struct {
	Rank     int      `json:"rank"`
	Alpha    float64  `json:"alpha"`
	Changed  int      `json:"changed"`  // weights
	Largest  float64  `json:"largest"`  // change of an element
	Rounding float64  `json:"rounding"` // largest loss to the storage type
	Shared   []string `json:"shared,omitempty"`
}

func (e merged) String() string {
	text := fmt.Sprintf("adapter of rank %d (alpha %g): %d weights change, an element by %.3g at most; rounding takes %.3g at most", e.Rank, e.Alpha, e.Changed, e.Largest, e.Rounding)
	if len(e.Shared) > 0 {
		text += "\nembedding and head are one matrix, so both change: " + strings.Join(e.Shared, ", ")
	}
	return text
}

type written struct {
	Out     string  `json:"out"`
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"`
}

func (e written) String() string {
	return fmt.Sprintf("%s: %.1f MiB in %.1f s", e.Out, float64(e.Bytes)/(1<<20), e.Seconds)
}

type blended struct {
	Method string   `json:"method"`
	With   []string `json:"with"`
}

func (e blended) String() string {
	return fmt.Sprintf("averaged %d models (%s): %s", len(e.With), e.Method, strings.Join(e.With, ", "))
}

type quantized struct {
	Worst string  `json:"worst"`
	RMSE  float64 `json:"rmse"`
}

func (e quantized) String() string {
	if e.Worst == "" {
		return "the file holds the weights exactly"
	}
	return fmt.Sprintf("the weight that moved most is %s, by %.2g (root of the mean square)", e.Worst, e.RMSE)
}
