package lab

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Median is the middle of list, which it leaves as it is; false of nothing.
func Median(list []float64) (float64, bool) {
	if len(list) == 0 {
		return 0, false
	}
	list = slices.Sorted(slices.Values(list))
	n := len(list)
	return (list[(n-1)/2] + list[n/2]) / 2, true
}

// Number writes v with that many significant digits and groups of thousands.
func Number(v float64, digits int) string {
	text := strconv.FormatFloat(v, 'g', digits, 64)
	short, err := strconv.ParseFloat(text, 64)
	if err != nil || short < 1000 {
		return strconv.FormatFloat(short, 'f', -1, 64)
	}
	text = strconv.FormatFloat(short, 'f', 0, 64)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// Row adds a line of a Markdown table.
func Row(md *strings.Builder, cells ...string) {
	fmt.Fprintf(md, "| %s |\n", strings.Join(cells, " | "))
}

// Head adds a table's first line and the rule below it: names left, figures right.
func Head(md *strings.Builder, cells ...string) {
	Row(md, cells...)
	fmt.Fprintf(md, "| --- |%s\n", strings.Repeat(" ---: |", len(cells)-1))
}
