//go:build !unix

package main

import (
	"context"
	"errors"
	"os"
)

// There is no signal to ask for it.
func notifyHandover(chan<- os.Signal) {}

func findPredecessor() (*predecessor, error) { return nil, nil }

func refuseHandover(error) {}

func (*life) handOver(context.Context, server) (int, error) { return 0, errors.ErrUnsupported }
