package main

import (
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func registerLogFlags(f *pflag.FlagSet) {
	level := slog.LevelInfo
	f.Var(&choice[slog.Level]{
		at:     &level,
		words:  []string{"debug", "info", "warn", "error"},
		values: []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError},
	}, "log-level", "least level that is logged to stderr")
	format := "text"
	f.Var(&choice[string]{
		at:     &format,
		words:  []string{"text", "json"},
		values: []string{"text", "json"},
	}, "log-format", "how log lines are written")
}

// logsJSON reports whether stderr is to hold nothing but JSON.
func logsJSON(cmd *cobra.Command) bool {
	f := cmd.Flag("log-format")
	return f != nil && f.Value.String() == "json"
}

// newNotices is where a server's lines for whoever started it go: stderr as they
// are, or the log, when what reads stderr expects JSON.
func newNotices(cmd *cobra.Command, log *slog.Logger) io.Writer {
	if logsJSON(cmd) {
		return logLines{log}
	}
	return cmd.ErrOrStderr()
}

// logLines logs each Write, which is one line.
type logLines struct{ log *slog.Logger }

func (l logLines) Write(line []byte) (int, error) {
	l.log.Info(strings.TrimPrefix(strings.TrimSpace(string(line)), "roost: "))
	return len(line), nil
}

// newLogger makes the logger that the command's flags ask for. It writes to
// stderr, so that stdout holds only what the command prints. Lines that repeat are
// sampled.
func newLogger(cmd *cobra.Command) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cmd.Flag("log-level").Value.String())); err != nil {
		return nil, err
	}
	o := &slog.HandlerOptions{Level: level}
	if logsJSON(cmd) {
		return slog.New(newSampler(slog.NewJSONHandler(cmd.ErrOrStderr(), o))), nil
	}
	return slog.New(newSampler(slog.NewTextHandler(cmd.ErrOrStderr(), o))), nil
}
