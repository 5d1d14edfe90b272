package loadtest

import (
	_ "embed"
	"html/template"
	"io"

	"github.com/roost-ws/roost/internal/uplot"
)

// The page, which uPlot draws the charts of.
var (
	//go:embed page/report.html
	pageHTML string
	//go:embed page/report.css
	pageCSS string
	//go:embed page/report.js
	pageJS string
)

// page is what the template is filled with.
type page struct {
	Runs         []*Report
	Changes      []Change
	CSS, PlotCSS template.CSS
	JS, Plot     template.JS
	PlotLicence  template.JS
}

// WriteHTML writes the report as one page with charts, that needs nothing but
// itself: it may be mailed, and asks no network for anything.
func (r *Report) WriteHTML(w io.Writer) error { return writePage(w, []*Report{r}, nil) }

// WriteDiffHTML writes a page with the charts of both reports laid over each other,
// and the changes, as [Diff] finds them.
func WriteDiffHTML(w io.Writer, before, after *Report, changes []Change) error {
	return writePage(w, []*Report{before, after}, changes)
}

func writePage(w io.Writer, runs []*Report, changes []Change) error {
	t, err := template.New("report").Funcs(template.FuncMap{"span": span, "tooFew": (*IdleReport).tooFew}).Parse(pageHTML)
	if err != nil {
		return err
	}
	return t.Execute(w, page{
		Runs: runs, Changes: changes,
		CSS: template.CSS(pageCSS), PlotCSS: template.CSS(uplot.Style),
		JS: template.JS(pageJS), Plot: template.JS(uplot.Script),
		PlotLicence: template.JS("/*\n" + uplot.Licence + "*/"),
	})
}
