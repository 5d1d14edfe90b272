package main

import (
	"fmt"
	"image/color"
	"math"
	"path/filepath"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"

	"github.com/roost-ws/roost/bench/internal/lab"
)

// plots draws, for each work, the cost of each server and, where there are any,
// its times.
func plots(r *Results, dir string) error {
	which, what := r.present()
	for _, w := range what {
		if err := costPlot(r, which, w, filepath.Join(dir, w.Name+".svg")); err != nil {
			return fmt.Errorf("%s: %w", w.Name, err)
		}
		if w.Idle {
			continue
		}
		if err := timesPlot(r, which, w, filepath.Join(dir, w.Name+"-times.svg")); err != nil {
			return fmt.Errorf("%s: %w", w.Name, err)
		}
	}
	return nil
}

// costPlot has a bar a server, Roost's in its own colour, the value at its end.
func costPlot(r *Results, which []server, w work, path string) error {
	value, axis := cpu, "µs of server CPU a "+w.Unit
	if w.Idle {
		value, axis = bytesEach, "bytes of the server's memory a connection"
	}
	var labels, texts []string
	var ours, theirs plotter.Values
	var ends plotter.XYs
	for _, s := range slices.Backward(which) { // the axis counts upwards
		v, ok := r.median(s.Name, w.Name, value)
		if !ok {
			continue
		}
		labels = append(labels, s.Label)
		texts = append(texts, " "+withRatio(r, s, w, value, 3))
		ends = append(ends, plotter.XY{X: v, Y: float64(len(ends))})
		if s.Kind == "roost" {
			ours, theirs = append(ours, v), append(theirs, 0)
		} else {
			ours, theirs = append(ours, 0), append(theirs, v)
		}
	}
	if len(labels) == 0 {
		return nil
	}
	p := plot.New()
	p.Title.Text, p.X.Label.Text = w.Title, axis
	p.Title.Padding = vg.Points(6)
	if err := bars(p, theirs, color.RGBA{0x8d, 0xa0, 0xb3, 0xff}); err != nil {
		return err
	}
	if err := bars(p, ours, color.RGBA{0xd9, 0x5f, 0x1e, 0xff}); err != nil {
		return err
	}
	marks, err := plotter.NewLabels(plotter.XYLabels{XYs: ends, Labels: texts})
	if err != nil {
		return err
	}
	for i := range marks.TextStyle {
		marks.TextStyle[i].YAlign = -0.4
	}
	p.Add(marks)
	p.NominalY(labels...)
	p.Y.Min, p.Y.Max = -0.6, float64(len(labels))-0.4
	p.X.Min, p.X.Max = 0, 1.3*slices.Max(append(slices.Clone(ours), theirs...)) // room for the figures
	return p.Save(18*vg.Centimeter, vg.Length(2.5+0.7*float64(len(labels)))*vg.Centimeter, path)
}

func bars(p *plot.Plot, values plotter.Values, c color.Color) error {
	b, err := plotter.NewBarChart(values, 0.45*vg.Centimeter)
	if err != nil {
		return err
	}
	b.Horizontal, b.Color, b.LineStyle.Width = true, c, 0
	p.Add(b)
	return nil
}

// timesPlot has a line a server over the percentiles, on a logarithmic axis.
func timesPlot(r *Results, which []server, w work, path string) error {
	p := plot.New()
	p.Title.Text, p.Y.Label.Text = w.Title, "ms"
	p.Title.Padding = vg.Points(6)
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.TickerFunc(logTicks)
	p.Legend.Top, p.Legend.Padding = true, vg.Points(2)
	var names []string
	for _, q := range percentiles() {
		names = append(names, q.name)
	}
	drawn := 0
	for i, s := range which {
		var line plotter.XYs
		for x, q := range percentiles() {
			if v, ok := r.median(s.Name, w.Name, q.of); ok && v > 0 {
				line = append(line, plotter.XY{X: float64(x), Y: v})
			}
		}
		if len(line) == 0 {
			continue
		}
		drawn++
		l, dots, err := plotter.NewLinePoints(line)
		if err != nil {
			return err
		}
		l.Color, dots.Color = plotutil.Color(i), plotutil.Color(i)
		l.Dashes, dots.Shape = plotutil.Dashes(i/7), plotutil.Shape(i)
		if s.Kind == "roost" {
			l.Width = vg.Points(2.5)
		}
		p.Add(l, dots)
		p.Legend.Add(s.Label, l, dots)
	}
	if drawn == 0 {
		return nil
	}
	p.NominalX(names...)
	p.X.Max = float64(len(names)) + 0.8 // room for the legend
	return p.Save(18*vg.Centimeter, 11*vg.Centimeter, path)
}

// logTicks labels 1, 2 and 5 of each power of ten.
func logTicks(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	for e := math.Floor(math.Log10(low)); e <= math.Ceil(math.Log10(high)); e++ {
		for _, m := range []float64{1, 2, 5} {
			if v := m * math.Pow(10, e); v >= low && v <= high {
				ticks = append(ticks, plot.Tick{Value: v, Label: lab.Number(v, 3)})
			}
		}
	}
	return ticks
}
