package main

import (
	"log/slog"

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

// newLogger makes the logger that the command's flags ask for. It writes to
// stderr, so that stdout holds only what the command prints. Lines that repeat are
// sampled.
func newLogger(cmd *cobra.Command) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cmd.Flag("log-level").Value.String())); err != nil {
		return nil, err
	}
	o := &slog.HandlerOptions{Level: level}
	if cmd.Flag("log-format").Value.String() == "json" {
		return slog.New(newSampler(slog.NewJSONHandler(cmd.ErrOrStderr(), o))), nil
	}
	return slog.New(newSampler(slog.NewTextHandler(cmd.ErrOrStderr(), o))), nil
}
