package engine

import (
	"fmt"
	"io"
)

// CloseError is how a connection ended, as an error: what Handler.Close is told.
type CloseError struct {
	Code   CloseCode
	Reason string
}

func (e *CloseError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("engine: WebSocket closed with %d", e.Code)
	}
	return fmt.Sprintf("engine: WebSocket closed with %d %q", e.Code, e.Reason)
}

// Is makes errors.Is(err, io.ErrUnexpectedEOF) hold for an end without a close frame.
func (e *CloseError) Is(target error) bool {
	return target == io.ErrUnexpectedEOF && e.Code == CodeAbnormal
}
