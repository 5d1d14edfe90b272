package loadtest

import (
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// distribution is the histogram behind l; nil without one.
func (l *Latency) distribution() (*latency, error) {
	if l.of != nil || l.Histogram == "" {
		return l.of, nil
	}
	if len(l.Histogram) > maxHistogram {
		return nil, fmt.Errorf("a histogram of %d bytes: want at most %d", len(l.Histogram), maxHistogram)
	}
	h, err := hdrhistogram.Decode([]byte(l.Histogram))
	if err != nil {
		return nil, fmt.Errorf("histogram: %w", err)
	}
	return &latency{h}, nil
}

// maxHistogram is more than one of ours takes, at 3 digits and with every count in use.
const maxHistogram = 1 << 20

var errNoHistogram = errors.New("a latency has no histogram, without which it can't be merged: run with Options.Histograms")

// merge adds the distribution of o, and sums up again.
func (l *Latency) merge(o *Latency) error {
	if o.Count == 0 {
		return nil
	}
	if l.Count == 0 {
		*l = *o
		return nil
	}
	mine, err1 := l.distribution()
	other, err2 := o.distribution()
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if mine == nil || other == nil {
		return errNoHistogram
	}
	sum := newLatency()
	if sum.h.Merge(mine.h)+sum.h.Merge(other.h) > 0 {
		return fmt.Errorf("a histogram goes beyond %v", time.Duration(maxLatency))
	}
	kept := l.Histogram != ""
	if len(l.Curve) > 0 {
		*l = sum.whole()
	} else {
		*l = sum.summary()
	}
	if kept {
		return l.keep()
	}
	return nil
}

// keep writes the histogram into the summary.
func (l *Latency) keep() error {
	if l.of == nil || l.Count == 0 {
		return nil
	}
	text, err := l.of.h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		return fmt.Errorf("loadtest: histogram: %w", err)
	}
	l.Histogram = string(text)
	return nil
}

// keepHistograms writes the histogram into each latency of the report, in
// whatever scenario's part it is.
func (r *Report) keepHistograms() error { return keepBelow(reflect.ValueOf(r)) }

func keepBelow(v reflect.Value) error {
	if l, ok := v.Interface().(*Latency); ok {
		if l == nil {
			return nil
		}
		return l.keep()
	}
	var all error
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() && v.Elem().Kind() == reflect.Struct {
			for i := range v.Elem().NumField() {
				if f := v.Elem().Field(i); v.Elem().Type().Field(i).IsExported() {
					all = errors.Join(all, keepBelow(addressed(f)))
				}
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			all = errors.Join(all, keepBelow(addressed(v.Index(i))))
		}
	}
	return all
}

// addressed is a pointer to v where v is a struct, and else v.
func addressed(v reflect.Value) reflect.Value {
	if v.Kind() == reflect.Struct {
		return v.Addr()
	}
	return v
}
