package main

import "testing"

// A mutant whose line has changed or moved would test nothing until a maintainer runs it.
func TestEveryMutantApplies(t *testing.T) {
	t.Chdir("../..")
	for _, m := range mutants {
		if _, err := m.overlay(t.TempDir()); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
	}
}

func TestOnlyMustMatchAMutant(t *testing.T) {
	if _, err := run(1, "no such mutant"); err == nil {
		t.Error("run tried nothing, and no error")
	}
}
