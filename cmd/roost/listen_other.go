//go:build !linux

package main

func portHolder(string) string { return "another process" }
