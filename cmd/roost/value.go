package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// integer is what a number flag may be stored in.
type integer interface{ ~int | ~int64 }

// number is a flag for a whole number between two limits. It takes suffixes,
// 10k and 16MiB, and prints sizes with them.
type number[T integer] struct {
	at       *T
	min, max int64
	kind     string // "number" or "size": shown in --help, and how to print
}

func count[T integer](f *pflag.FlagSet, at *T, name string, def, min, max int64, usage string) {
	*at = T(def)
	f.Var(&number[T]{at, min, max, "number"}, name, usage)
}

func size[T integer](f *pflag.FlagSet, at *T, name string, def, min, max int64, usage string) {
	*at = T(def)
	f.Var(&number[T]{at, min, max, "size"}, name, usage)
}

func (n *number[T]) Type() string { return n.kind }

func (n *number[T]) String() string { return n.text(int64(*n.at)) }

func (n *number[T]) text(v int64) string {
	if n.kind == "size" {
		return sizeText(v)
	}
	return strconv.FormatInt(v, 10)
}

func (n *number[T]) Set(s string) error {
	v, err := parseNumber(s)
	if err != nil {
		return err
	}
	if v < n.min || v > n.max {
		return fmt.Errorf("out of range, give %s to %s", n.text(n.min), n.text(n.max))
	}
	*n.at = T(v)
	return nil
}

// suffixes are tried in this order, so the longer come before their own tails.
var suffixes = []struct {
	text string
	unit int64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30},
	{"ki", 1 << 10}, {"mi", 1 << 20}, {"gi", 1 << 30},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9},
	{"k", 1e3}, {"m", 1e6}, {"g", 1e9}, {"b", 1},
}

func parseNumber(s string) (int64, error) {
	digits, unit := strings.ToLower(strings.TrimSpace(s)), int64(1)
	for _, x := range suffixes {
		if d, ok := strings.CutSuffix(digits, x.text); ok {
			digits, unit = d, x.unit
			break
		}
	}
	v, err := strconv.ParseInt(digits, 10, 64)
	if errors.Is(err, strconv.ErrRange) || v > math.MaxInt64/unit || v < math.MinInt64/unit {
		return 0, errors.New("a whole number of more than 64 bits; give one nearer to 0")
	}
	if err != nil {
		return 0, fmt.Errorf("not a whole number; write it like 4096, 10k or 64KiB")
	}
	return v * unit, nil
}

func sizeText(v int64) string {
	for _, x := range []struct {
		text string
		bits uint
	}{{"GiB", 30}, {"MiB", 20}, {"KiB", 10}} {
		if v != 0 && v%(1<<x.bits) == 0 {
			return strconv.FormatInt(v>>x.bits, 10) + x.text
		}
	}
	return strconv.FormatInt(v, 10)
}

// span is a flag for a duration between two limits.
type span struct {
	at       *time.Duration
	min, max time.Duration
}

func duration(f *pflag.FlagSet, at *time.Duration, name string, def, max time.Duration, usage string) {
	*at = def
	f.Var(&span{at, 0, max}, name, usage)
}

// positive is a duration's flag where 0 means nothing: a library would take it for its default.
func positive(f *pflag.FlagSet, at *time.Duration, name string, def, max time.Duration, usage string) {
	*at = def
	f.Var(&span{at, time.Millisecond, max}, name, usage)
}

func (d *span) Type() string { return "duration" }

func (d *span) String() string { return d.at.String() }

func (d *span) Set(s string) error {
	v, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("not a duration; write it like 500ms, 30s or 5m")
	}
	if v < d.min || v > d.max {
		return fmt.Errorf("out of range, give %s to %s", d.min, d.max)
	}
	*d.at = v
	return nil
}

// choice is a flag for one of a few words, each of which stands for a value.
type choice[T comparable] struct {
	at     *T
	words  []string
	values []T
}

func (c *choice[T]) Type() string { return strings.Join(c.words, "|") }

func (c *choice[T]) String() string {
	for i, v := range c.values {
		if v == *c.at {
			return c.words[i]
		}
	}
	return ""
}

func (c *choice[T]) Set(s string) error {
	for i, w := range c.words {
		if w == s {
			*c.at = c.values[i]
			return nil
		}
	}
	return fmt.Errorf("unknown, give one of %s", strings.Join(c.words, ", "))
}
