package testio

import (
	"strings"
	"sync"
)

// Log collects what several goroutines write. The zero value is ready.
type Log struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write never fails.
func (l *Log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// String is all that was written.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Count says how often part was written.
func (l *Log) Count(part string) int { return strings.Count(l.String(), part) }
