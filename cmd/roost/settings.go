package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/rawbytes"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const envPrefix = "ROOST_"

// envName is the environment variable of a long flag: --max-conns is
// ROOST_MAX_CONNS.
func envName(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

func flagName(env string) string {
	return strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(env, envPrefix), "_", "-"))
}

// oldName annotates a flag that only the command line knows: a name that was
// given up, because it means something else in other commands.
const oldName = "old-name"

// applySettings sets cmd's flags that the command line left alone from the
// environment, and those the environment left alone from the settings file.
// Every value passes through its flag, so it is checked the same way.
func applySettings(cmd *cobra.Command) error {
	if strings.HasPrefix(cmd.Name(), "__") || cmd.Name() == "help" {
		return nil // shell completion and help must work beside a broken file
	}
	environment := koanf.New(".")
	// The map is flat, so a key's dots, if any, stay as they are.
	if err := environment.Load(env.Provider("", env.Opt{Prefix: envPrefix, TransformFunc: fromEnv}), nil); err != nil {
		return err
	}
	path := environment.String("config")
	if f := cmd.Flags().Lookup("config"); f.Changed {
		path = f.Value.String()
	}
	file, err := loadFile(path, cmd.Root())
	if err != nil {
		return usageError{err}
	}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if err != nil || f.Changed || f.Name == "help" || f.Name == "config" || f.Annotations[oldName] != nil {
			return
		}
		if environment.Exists(f.Name) {
			err = applySetting(cmd, f, envName(f.Name), environment.Get(f.Name))
		} else if file.Exists(f.Name) {
			err = applySetting(cmd, f, place(path, f.Name), file.Get(f.Name))
		}
	})
	return err
}

// fromEnv names the flag of a variable. An empty variable counts as not set.
func fromEnv(key, value string) (string, any) {
	if value == "" {
		return "", nil
	}
	return flagName(key), value
}

func applySetting(cmd *cobra.Command, f *pflag.Flag, where string, value any) error {
	text, err := settingText(value)
	if err != nil {
		return usagef("%s: %w", where, err)
	}
	// Through the FlagSet, which marks the flag as changed: what a command
	// asks for by Changed holds wherever the value came from.
	if err := cmd.Flags().Set(f.Name, text); err != nil {
		if cause := errors.Unwrap(err); cause != nil {
			err = cause
		}
		return usageError{refused(where, text, f, err)}
	}
	return cmd.Flags().SetAnnotation(f.Name, setAt, []string{where})
}

// setAt annotates a flag with the place that set it when the command line did not.
const setAt = "set-at"

// whereSet is what a refusal of a flag's value names: the line of the settings file,
// the environment variable, or the flag.
func whereSet(f *pflag.FlagSet, name string) string {
	if f != nil && f.Lookup(name) != nil && len(f.Lookup(name).Annotations[setAt]) == 1 {
		return f.Lookup(name).Annotations[setAt][0]
	}
	return "--" + name
}

// loadFile reads the settings file and refuses keys that no command has: one
// file may serve serve, pub and sub, but a misspelt key must not pass.
func loadFile(path string, root *cobra.Command) (*koanf.Koanf, error) {
	k := koanf.New(".")
	if path == "" {
		return k, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("settings file: %w", err)
	}
	if n := secondDocument(text); n > 0 {
		return nil, fmt.Errorf("settings file %s:%d: a second YAML document begins, which nothing reads: keep all settings in one", path, n)
	}
	if err := k.Load(rawbytes.Provider(text), yaml.Parser()); err != nil {
		return nil, fmt.Errorf("settings file %s: %w", path, err)
	}
	known := map[string]bool{}
	addFlagNames(root, known)
	var unknown []string
	for _, key := range k.Keys() {
		if !known[key] {
			unknown = append(unknown, key)
		}
	}
	if len(unknown) > 0 {
		for i, key := range unknown {
			top, _, _ := strings.Cut(key, ".")
			if n := lineOf(text, top); n > 0 {
				unknown[i] = fmt.Sprintf("%s (line %d)", key, n)
			}
			if near := nearest(top, slices.Sorted(maps.Keys(known))); near != "" {
				unknown[i] += " (did you mean " + near + "?)"
			}
		}
		return nil, fmt.Errorf("settings file %s: unknown key %s; a key is a long flag's name without the dashes", path, strings.Join(unknown, ", "))
	}
	return k, nil
}

// secondDocument finds the line on which a second document has something to say, 0
// when there is none. A line that begins with --- or ... is nothing but a marker,
// wherever it stands.
func secondDocument(text []byte) int {
	n, content, ended := 0, false, false
	for line := range strings.Lines(string(text)) {
		n++
		line = strings.TrimRight(line, " \t\r\n")
		first, rest, _ := strings.Cut(line, " ")
		if first == "---" || first == "..." {
			ended, line = content, strings.TrimSpace(rest)
		}
		switch blank := strings.TrimSpace(line); {
		case blank == "" || blank[0] == '#' || !content && blank[0] == '%':
		case ended:
			return n
		default:
			content = true
		}
	}
	return 0
}

// place is where a file sets key: "roost.yaml:3: max-conns".
func place(path, key string) string {
	if text, err := os.ReadFile(path); err == nil {
		if n := lineOf(text, key); n > 0 {
			return fmt.Sprintf("%s:%d: %s", path, n, key)
		}
	}
	return path + ": " + key
}

// lineOf finds the line that sets a top-level key, 0 when it is written in a way
// that this does not know.
func lineOf(text []byte, key string) int {
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		if rest, ok := strings.CutPrefix(strings.Trim(line, `"'`), key); ok && strings.HasPrefix(strings.TrimLeft(rest, `"' `), ":") {
			return n
		}
	}
	return 0
}

func addFlagNames(cmd *cobra.Command, names map[string]bool) {
	add := func(f *pflag.Flag) {
		if f.Name != "help" && f.Name != "config" {
			names[f.Name] = true
		}
	}
	cmd.Flags().VisitAll(add)
	cmd.PersistentFlags().VisitAll(add)
	for _, c := range cmd.Commands() {
		addFlagNames(c, names)
	}
}

// settingText writes a YAML value as it would stand on the command line.
func settingText(value any) (string, error) {
	switch v := value.(type) {
	case string:
		return v, nil
	case bool, int, int64, uint64:
		return fmt.Sprint(v), nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	case []any:
		if slices.ContainsFunc(v, isMap) {
			text, err := json.Marshal(v) // as --apps takes it
			return string(text), err
		}
		words := make([]string, len(v))
		for i, item := range v {
			text, err := settingText(item)
			if err != nil {
				return "", err
			}
			words[i] = text
		}
		return strings.Join(words, ","), nil
	case nil:
		return "", fmt.Errorf("no value; give one or remove the key")
	}
	return "", fmt.Errorf("%v is no single value", value)
}

func isMap(v any) bool {
	_, ok := v.(map[string]any)
	return ok
}
