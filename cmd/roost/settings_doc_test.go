package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

const settingsPage = "../../docs/settings.md"

// settingsTable is docs/settings.md: what the flags say of themselves.
func settingsTable() string {
	var b strings.Builder
	b.WriteString("# Settings of `roost serve`\n\n" +
		"Each is a flag (`--max-conns 10k`), an environment variable (`ROOST_MAX_CONNS=10k`) and a key of the YAML file that\n" +
		"`--config` or `ROOST_CONFIG` names (`max-conns: 10k`). A flag wins over the environment, the environment over the file.\n" +
		"`roost serve --check-config` prints what holds. A SIGHUP makes those marked ↻ count again; the others want a new process\n" +
		"([operations.md](operations.md)).\n\n" +
		"| key | default | meaning |\n| --- | --- | --- |\n")
	cmd, _ := newServe()
	newRootCommand().PersistentFlags().VisitAll(func(f *pflag.Flag) { cmd.Flags().AddFlag(f) })
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		name := f.Name
		for _, r := range reloadable {
			if r == f.Name {
				name += " ↻"
			}
		}
		_, usage := pflag.UnquoteUsage(f)
		def := f.DefValue
		if def != "" {
			def = "`" + def + "`"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, def, strings.ReplaceAll(usage, "|", "\\|"))
	})
	return b.String()
}

// With ROOST_UPDATE set, the page is written anew.
func TestEverySettingIsDocumented(t *testing.T) {
	t.Parallel()
	want := settingsTable()
	if os.Getenv("ROOST_UPDATE") != "" {
		must(t, os.WriteFile(settingsPage, []byte(want), 0o644))
	}
	got, err := os.ReadFile(settingsPage)
	must(t, err)
	if string(got) != want {
		t.Errorf("%s is not what the flags say: run ROOST_UPDATE=1 go test ./cmd/roost -run EverySetting", settingsPage)
	}
}
