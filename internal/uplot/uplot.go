// Package uplot holds uPlot 1.6.32 (github.com/leeoniya/uPlot), which draws the
// charts of the load tester's report and of the push server's dashboard, as its
// author ships it. It serves nothing and changes nothing.
package uplot

import _ "embed"

// Script defines the global uPlot. Whoever passes it on passes Licence on too.
//
//go:embed uPlot.iife.min.js
var Script string

// Style is what the script's elements are laid out with.
//
//go:embed uPlot.min.css
var Style string

// Licence is the MIT licence of both.
//
//go:embed LICENSE
var Licence string
