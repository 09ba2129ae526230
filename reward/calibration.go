package reward

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Calibration says how far scores can be trusted, measured on judgements: of a
// comparison, the log-odds r⁺ − r⁻ that its better answer wins; of a labelled
// answer or step, the log-odds of the label.
type Calibration struct {
	Judgements int `json:"judgements"`
	// Accuracy is the share of judgements on the right side of 0, between the bounds
	// of a 95 % interval (Wilson 1927), which takes judgements to be independent.
	Accuracy float64 `json:"accuracy"`
	Low      float64 `json:"accuracy_low"`
	High     float64 `json:"accuracy_high"`
	// ECE is the expected calibration error (Guo et al. 2017, arXiv:1706.04599,
	// eq. 3): the mean distance of confidence and accuracy over Bins, weighted by
	// their judgements.
	ECE  float64          `json:"ece"`
	Bins []CalibrationBin `json:"bins,omitempty"`
	// AUC is the probability that a good answer scores higher than a bad one, ties
	// counting half; NaN unless there are labels of both kinds.
	AUC float64 `json:"-"`

	Margin  float64   `json:"margin"` // mean log-odds
	Margins Histogram `json:"margins"`

	// LengthCorrelation is Pearson's, of score and length in tokens, over all
	// answers; LengthWithin is the same after the mean of each group has been taken
	// off both. 0 where either does not vary.
	LengthCorrelation float64 `json:"length_correlation"`
	LengthWithin      float64 `json:"length_within"`
	// LongerBetter is the share of comparisons of unequal length whose better answer
	// is the longer one, and LongerPreferred of those where the longer one scores
	// higher: the bias of the data and of the model.
	LongerBetter    float64 `json:"longer_better"`
	LongerPreferred float64 `json:"longer_preferred"`
}

// CalibrationBin holds judgements of like confidence, which is the probability of
// the side that was taken, at least a half.
type CalibrationBin struct {
	Judgements int     `json:"judgements"`
	Confidence float64 `json:"confidence"` // mean
	Accuracy   float64 `json:"accuracy"`
}

// Histogram counts values in ranges of equal width.
type Histogram struct {
	Low    float64 `json:"low"`   // of the first range
	Width  float64 `json:"width"` // of each range
	Counts []int   `json:"counts,omitempty"`
}

// calibrationBins and histogramBins are the numbers of ranges.
const (
	calibrationBins = 10
	histogramBins   = 20
)

// Calibrate measures judgements: log-odds in nats and labels in [0, 1], of which
// those above a half count as good.
func Calibrate(logOdds, labels []float64) (Calibration, error) {
	if len(logOdds) != len(labels) || len(labels) == 0 {
		return Calibration{}, fmt.Errorf("reward: Calibrate: got %d log-odds and %d labels, want as many, at least one", len(logOdds), len(labels))
	}
	c := Calibration{Judgements: len(labels), Bins: make([]CalibrationBin, calibrationBins), Margins: histogram(logOdds), AUC: auc(logOdds, labels)}
	right := 0.0
	for i, r := range logOdds {
		ok, confidence := agree(r, labels[i]), 1/(1+math.Exp(-math.Abs(r)))
		right += ok
		c.Margin += r / float64(len(labels))
		b := &c.Bins[min(calibrationBins-1, int(2*(confidence-0.5)*calibrationBins))]
		b.Judgements++
		b.Confidence += confidence
		b.Accuracy += ok
	}
	for i := range c.Bins {
		if b := &c.Bins[i]; b.Judgements > 0 {
			n := float64(b.Judgements)
			b.Confidence, b.Accuracy = b.Confidence/n, b.Accuracy/n
			c.ECE += n / float64(len(labels)) * math.Abs(b.Confidence-b.Accuracy)
		}
	}
	c.Accuracy = right / float64(len(labels))
	c.Low, c.High = wilson(right, float64(len(labels)))
	return c, nil
}

// wilson is the 95 % interval of a share of k in n.
func wilson(k, n float64) (low, high float64) {
	const z = 1.959963984540054 // quantile 0.975 of the normal distribution
	p, q := k/n, z*z/n
	middle, half := (p+q/2)/(1+q), math.Sqrt(p*(1-p)*q+q*q/4)/(1+q)
	return max(0, middle-half), min(1, middle+half)
}

// histogram covers the values symmetrically about 0.
func histogram(x []float64) Histogram {
	limit := 0.0
	for _, v := range x {
		limit = math.Max(limit, math.Abs(v))
	}
	if limit == 0 || math.IsNaN(limit) || math.IsInf(limit, 0) {
		limit = 1
	}
	h := Histogram{Low: -limit, Width: 2 * limit / histogramBins, Counts: make([]int, histogramBins)}
	for _, v := range x {
		if at := math.Floor((v - h.Low) / h.Width); !math.IsNaN(at) {
			h.Counts[int(min(max(at, 0), histogramBins-1))]++
		}
	}
	return h
}

// auc is the area under the ROC curve by ranks, ties sharing theirs.
func auc(score, label []float64) float64 {
	order := make([]int, len(score))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(score[a], score[b]) })
	ranks, good := 0.0, 0.0
	for at := 0; at < len(order); {
		end := at
		for end < len(order) && score[order[end]] == score[order[at]] {
			end++
		}
		for _, i := range order[at:end] {
			if label[i] > 0.5 {
				ranks += float64(at+end+1) / 2
				good++
			}
		}
		at = end
	}
	bad := float64(len(score)) - good
	return (ranks - good*(good+1)/2) / (good * bad)
}

// String says the main numbers in one line.
func (c Calibration) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "accuracy %.1f %% [%.1f, %.1f] of %d judgements, margin %.3g, calibration error %.3g, correlation with length %+.2f (within a prompt %+.2f)",
		100*c.Accuracy, 100*c.Low, 100*c.High, c.Judgements, c.Margin, c.ECE, c.LengthCorrelation, c.LengthWithin)
	if c.LongerBetter+c.LongerPreferred > 0 {
		fmt.Fprintf(&s, ", longer answer preferred in %.0f %% of comparisons (better in %.0f %%)", 100*c.LongerPreferred, 100*c.LongerBetter)
	}
	return s.String()
}
