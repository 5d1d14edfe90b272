package main

import (
	"errors"
	"fmt"
)

const (
	exitFailure = 1
	exitUsage   = 2
	exitForced  = 130 // 128 + SIGINT, what a shell reports for an interrupted process
)

// usageError marks what the caller can mend on the command line, in the
// environment or in the settings file; the process then exits with 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// codedError has the process exit with a code of its command's own.
type codedError struct {
	error
	code int
}

func (e codedError) Unwrap() error { return e.error }

func exitCode(err error) int {
	if errors.As(err, &usageError{}) {
		return exitUsage
	}
	if coded := (codedError{}); errors.As(err, &coded) {
		return coded.code
	}
	return exitFailure
}
