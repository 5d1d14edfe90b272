package loadtest

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Expectation is a figure's bound, such as "p99<20ms".
type Expectation struct {
	figure, op string
	limit      float64
	text       string
}

// ErrExpectation is what the errors of [Expectation.Check] wrap.
var ErrExpectation = errors.New("expectation failed")

// operators, the longer before their own beginnings.
var operators = []string{"<=", ">=", "==", "!=", "<", ">"}

// ParseExpectation reads NAME OP VALUE, where OP is one of < <= > >= == !=, and VALUE is
// a duration (20ms), a share (0.1%), or a number (50k), as the figure wants it.
// Errors wrap [ErrOptions] and name the figures there are.
func ParseExpectation(text string) (Expectation, error) {
	for _, op := range operators {
		name, value, ok := strings.Cut(text, op)
		if !ok {
			continue
		}
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		spec, known := figureSpecs[name]
		if !known {
			return Expectation{}, invalid("expectation %q: no figure %q; there are %s", text, name, strings.Join(slices.Sorted(maps.Keys(figureSpecs)), ", "))
		}
		limit, err := parseValue(value, spec.unit)
		if err != nil {
			return Expectation{}, invalid("expectation %q: %w", text, err)
		}
		return Expectation{name, op, limit, text}, nil
	}
	return Expectation{}, invalid("expectation %q: write it like p99<20ms, loss==0 or errors<0.1%%", text)
}

func parseValue(s string, unit Unit) (float64, error) {
	if unit == Duration {
		d, err := time.ParseDuration(s)
		if err != nil {
			return 0, fmt.Errorf("%q is not a duration; write it like 20ms", s)
		}
		return float64(d), nil
	}
	scale := 1.0
	digits, percent := strings.CutSuffix(s, "%")
	if percent {
		scale = 0.01
	} else if digits != "" && unit != Share {
		if i := strings.IndexByte("km", digits[len(digits)-1]|0x20); i >= 0 {
			digits, scale = digits[:len(digits)-1], []float64{1e3, 1e6}[i]
		}
	}
	x, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
	switch {
	case err != nil || math.IsNaN(x) || math.IsInf(x, 0):
		return 0, fmt.Errorf("%q is not a number", s)
	case percent && unit != Share:
		return 0, fmt.Errorf("%q: this figure is no share", s)
	case !percent && unit == Share && x != 0:
		return 0, fmt.Errorf("%q: this figure is a share; write it like 0.1%%", s)
	}
	return x * scale, nil
}

// Check returns nil when r keeps the expectation. A figure that r does not have
// keeps none: a run without messages has not shown that its p99 is low. So does the
// report of a run that was interrupted.
func (e Expectation) Check(r *Report) error {
	if r.Interrupted {
		return fmt.Errorf("%w: %s: the run was interrupted", ErrExpectation, e.text)
	}
	f, ok := e.of(r)
	if !ok {
		return fmt.Errorf("%w: %s: this run has no %s", ErrExpectation, e.text, e.figure)
	}
	if !compare(f.Value, e.op, e.limit) {
		return fmt.Errorf("%w: %s: it is %s", ErrExpectation, e.text, f.Text())
	}
	return nil
}

// of is the figure that e is about.
func (e Expectation) of(r *Report) (f Figure, ok bool) {
	all := r.Figures()
	i := slices.IndexFunc(all, func(f Figure) bool { return f.Name == e.figure })
	if i < 0 {
		return f, false
	}
	return all[i], true
}

// is tells what the figure is.
func (e Expectation) is(r *Report) string {
	if f, ok := e.of(r); ok {
		return "it is " + f.Text()
	}
	return "there is no " + e.figure
}

func compare(a float64, op string, b float64) bool {
	switch op {
	case "<":
		return a < b
	case "<=":
		return a <= b
	case ">":
		return a > b
	case ">=":
		return a >= b
	case "==":
		return a == b
	}
	return a != b
}
