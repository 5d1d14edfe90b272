//go:build race

package main

// The process under test is watched for races too.
var buildFlags = []string{"-race"}
