package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"

	"github.com/posttrain/posttrain/data/tokenizer"
	"github.com/posttrain/posttrain/examples/internal/tiny"
	"github.com/posttrain/posttrain/internal/kernel"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/tensor"
)

// products are M×K×N of the layers that measureGEMM times: x (M,K) times a weight
// (N,K) transposed.
var products = [][3]int{
	{512, 896, 4864}, {512, 4864, 896}, {1024, 896, 4864}, {1024, 4864, 896}, {2048, 896, 4864}, {2048, 4864, 896}, {512, 576, 1536}, {2048, 576, 1536},
}

// measureGEMM times matrix products in GFLOP/s, best and median.
func measureGEMM(_ context.Context, s *settings, r *result) error {
	pool := kernel.NewPool(s.threads)
	defer pool.Close()
	scratch := kernel.NewScratch(pool.Workers())
	random := rand.New(rand.NewPCG(s.seed, 3))
	fill := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(random.NormFloat64())
		}
		return x
	}
	r.Extra = map[string]float64{}
	r.Shape = "matrix products"
	repeats := *s
	repeats.steps = max(s.steps, 20)
	for _, p := range products {
		m, k, n := p[0], p[1], p[2]
		g := kernel.Gemm{M: m, N: n, K: k, A: fill(m * k), LDA: k, B: fill(n * k), LDB: k, TransB: true, C: make([]float32, m*n), LDC: n}
		c, err := repeats.repeat(1, func() error { g.Run(pool, scratch); return nil })
		if err != nil {
			return err
		}
		seconds := c.seconds[s.warm:]
		best := seconds[0]
		for _, x := range seconds {
			best = min(best, x)
		}
		name, flops := fmt.Sprintf("%dx%dx%d", m, k, n), 2*float64(m)*float64(k)*float64(n)/1e9
		r.Extra[name+"_median"], r.Extra[name+"_best"] = flops/median(seconds), flops/best
	}
	return nil
}

// measureTokenize times encoding on one thread, of -text or of a built-in text,
// with the tokenizer of -model.
func measureTokenize(_ context.Context, s *settings, r *result) error {
	words, err := s.tokenizer()
	if err != nil {
		return err
	}
	docs := strings.Repeat("The quick brown fox jumps over 13 lazy dogs, doesn't it? ", 40)
	if s.text != "" {
		raw, err := os.ReadFile(s.text)
		if err != nil {
			return err
		}
		docs = string(raw)
	}
	const document = 2 << 10 // bytes of one text
	var ids []int32
	tokens := 0
	c, err := s.repeat(len(docs), func() error {
		tokens = 0
		for at := 0; at < len(docs); at += document {
			ids = words.AppendIDs(ids[:0], docs[at:min(at+document, len(docs))], false)
			tokens += len(ids)
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.StepSeconds = median(c.seconds[s.warm:])
	r.TokensPerSecond = float64(tokens) / r.StepSeconds
	r.Extra = map[string]float64{"megabytes_per_second": median(c.rates[s.warm:]) / 1e6, "first_pass_megabytes_per_second": c.rates[0] / 1e6}
	return nil
}

func (s *settings) tokenizer() (*tokenizer.Tokenizer, error) {
	if s.model != "" {
		return tokenizer.Open(s.model)
	}
	c, err := tiny.Open(auto.Options{})
	if err != nil {
		return nil, err
	}
	return c.Tokenizer, c.Close()
}

// measureLoad times the opening of the checkpoint in -model until every weight
// has been touched.
func measureLoad(_ context.Context, s *settings, r *result) error {
	if s.model == "" {
		return errors.New("-task load: got no -model, want a folder or a .gguf file")
	}
	dt, err := s.weights()
	if err != nil {
		return err
	}
	o := auto.Options{Weights: dt, NoTokenizer: true, Mapped: s.mapped, SkipFiniteCheck: !s.mapped}
	bytes, touched := 0, 0
	c, err := s.repeat(1, func() error {
		ck, err := auto.Open(s.model, o)
		if err != nil {
			return err
		}
		bytes = 0
		for _, p := range ck.Model.Params() {
			bytes += p.Bytes()
			touched += touch(p)
		}
		return ck.Close()
	})
	if err != nil {
		return err
	}
	r.StepSeconds = median(c.seconds[s.warm:])
	r.Extra = map[string]float64{"first_seconds": c.seconds[0], "weights_mib": float64(bytes) / (1 << 20), "pages_not_zero": float64(touched)}
	return nil
}

// touch reads one value of every page. Its result keeps the reads from being
// optimised away.
func touch(p *tensor.Param) (nonzero int) {
	const page = 4096
	for i := 0; i < len(p.Data16()); i += page / 2 {
		if p.Data16()[i] != 0 {
			nonzero++
		}
	}
	for i := 0; i < len(p.Data()); i += page / 4 {
		if p.Data()[i] != 0 {
			nonzero++
		}
	}
	return nonzero
}
