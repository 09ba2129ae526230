package rlhf

import (
	"time"

	"github.com/posttrain/posttrain/train"
)

// clock measures what a step spends its time on.
type clock struct {
	began               train.Stopwatch
	generation, scoring time.Duration
}

func (c *clock) start() { *c = clock{began: train.StartStopwatch()} }

// Timing implements train.Timed: the shares of sampling, of scoring (rewarders, old
// and reference log-probabilities, advantages) and of the rest.
func (s *stage) Timing(m *train.Metrics) {
	total := s.clock.began.Elapsed().Seconds()
	if total <= 0 {
		return
	}
	generation, scoring := s.clock.generation.Seconds()/total, s.clock.scoring.Seconds()/total
	m.Set("time_share/generation", generation)
	m.Set("time_share/scoring", scoring)
	m.Set("time_share/training", max(0, 1-generation-scoring))
}
