package main

import (
	"fmt"
	"os"

	"github.com/spf13/pflag"

	"github.com/roost-ws/roost/loadtest"
)

// messageFlags say what to send.
type messageFlags struct {
	text, file string
	binary     bool
}

func (m *messageFlags) register(f *pflag.FlagSet) {
	f.StringVar(&m.text, "message", "", "send this `template` instead of --size bytes, as '{\"user\":{{.Conn}},\"n\":{{.Seq}},\"at\":{{.Now}},\"x\":\"{{.Rand 64}}\"}'")
	f.StringVar(&m.file, "message-file", "", "send the lines of this `file` in turn, each a template")
	f.BoolVar(&m.binary, "message-binary", false, "with --message-file, send the whole file as it is, as one binary message")
}

// messages reads what was given; nil when nothing was.
func (m *messageFlags) messages() (*loadtest.Messages, error) {
	switch {
	case m.text != "" && m.file != "":
		return nil, usagef("--message and --message-file: give one of them")
	case m.binary && m.file == "":
		return nil, usagef("--message-binary: it needs --message-file")
	case m.text != "":
		all, err := loadtest.ParseMessage(m.text)
		return all, asUsage("--message", err)
	case m.file == "":
		return nil, nil
	}
	file, err := os.Open(m.file)
	if err != nil {
		return nil, usageError{err}
	}
	defer file.Close()
	all, err := loadtest.ReadMessages(file, m.binary)
	return all, asUsage(m.file, err)
}

func asUsage(what string, err error) error {
	if err == nil {
		return nil
	}
	return usageError{fmt.Errorf("%s: %w", what, err)}
}
