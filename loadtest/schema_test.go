package loadtest

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// sections are the field names of each type that docs/loadtest-report.md describes.
func sections(t *testing.T) map[string]map[string]bool {
	t.Helper()
	text, err := os.ReadFile("../docs/loadtest-report.md")
	if err != nil {
		t.Fatal(err)
	}
	field := regexp.MustCompile("(?m)^\\| `(\\w+)` \\| [^|]+ \\| [^\\s;].* \\|$")
	all := make(map[string]map[string]bool)
	for _, part := range strings.Split(string(text), "\n## ")[1:] {
		name, body, _ := strings.Cut(part, "\n")
		all[name] = make(map[string]bool)
		for _, m := range field.FindAllStringSubmatch(body, -1) {
			all[name][m[1]] = true
		}
	}
	return all
}

// below visits a report's types.
func below(typ reflect.Type, visit func(reflect.Type)) {
	seen := make(map[reflect.Type]bool)
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			walk(typ.Elem())
		case reflect.Struct:
			if seen[typ] || typ.PkgPath() != reflect.TypeFor[Report]().PkgPath() {
				return
			}
			seen[typ] = true
			visit(typ)
			for i := range typ.NumField() {
				if typ.Field(i).IsExported() {
					walk(typ.Field(i).Type)
				}
			}
		}
	}
	walk(typ)
}

// Whoever reads a report with a program finds each field's meaning.
func TestEveryFieldOfTheReportIsDocumented(t *testing.T) {
	described := sections(t)
	below(reflect.TypeFor[Report](), func(typ reflect.Type) {
		fields, ok := described[typ.Name()]
		if !ok {
			t.Errorf("docs/loadtest-report.md has no section %s", typ.Name())
			return
		}
		delete(described, typ.Name())
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			if !typ.Field(i).IsExported() || name == "-" {
				continue
			}
			if name != "" && !fields[name] { // an embedded one has its own section
				t.Errorf("docs/loadtest-report.md, section %s, has no row for `%s`", typ.Name(), name)
			}
			delete(fields, name)
		}
		for name := range fields {
			t.Errorf("docs/loadtest-report.md, section %s, explains `%s`, which there is not", typ.Name(), name)
		}
	})
	for name := range described {
		t.Errorf("docs/loadtest-report.md has a section %s, which there is not", name)
	}
}
