//go:build race

package main

// The process under test is watched for races too.
var buildFlags = []string{"-race"}

// A TLS handshake takes ten times as long then.
const fewDials = 300
