//go:build !race

package main

var buildFlags []string

const fewDials = 2000
