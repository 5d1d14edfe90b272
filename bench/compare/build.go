package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// A builder makes the load and the servers, in a folder that git ignores.
type builder struct {
	cache string
	roost string // a built roost to copy, or "" to build this tree's
}

func (b builder) all(ctx context.Context, which []server, what []work) error {
	if err := os.MkdirAll(filepath.Join(b.cache, "bin"), 0o755); err != nil {
		return err
	}
	abs, err := filepath.Abs(b.cache)
	if err != nil {
		return err
	}
	if err := b.c(ctx, "load", "cload/load.c"); err != nil {
		return err
	}
	if err := certify(abs); err != nil {
		return err
	}
	if slices.ContainsFunc(what, func(w work) bool { return w.mode == byHarness }) {
		if err := command(ctx, "..", "go", "build", "-o", filepath.Join(abs, "bin", "harness"), "./cmd/roost"); err != nil {
			return err
		}
	}
	node := false
	for _, s := range which {
		bin := filepath.Join(abs, "bin", s.Name)
		switch s.Kind {
		case "c":
			err = b.c(ctx, s.Name, "climit/limit.c")
		case "go":
			err = command(ctx, ".", "go", "build", "-o", bin, "./peers/"+s.Name)
		case "roost":
			if b.roost != "" {
				err = command(ctx, ".", "cp", b.roost, bin)
			} else {
				err = command(ctx, "..", "go", "build", "-o", bin, "./cmd/roost")
			}
		case "node":
			node = true
		}
		if err != nil {
			return err
		}
	}
	if node {
		return b.npm(ctx)
	}
	return nil
}

func (b builder) c(ctx context.Context, name, source string) error {
	return command(ctx, ".", "gcc", "-O2", "-o", filepath.Join(b.cache, "bin", name), source)
}

// npm installs into the cache, without the scripts of the packages: both ship
// what they need.
func (b builder) npm(ctx context.Context) error {
	dir := filepath.Join(b.cache, "node")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	files, err := filepath.Glob("peers/node/*")
	if err != nil {
		return err
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(f)), text, 0o644); err != nil {
			return err
		}
	}
	return command(ctx, dir, "npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
}

func command(ctx context.Context, dir, name string, args ...string) error {
	log.Printf("%s %v", name, args)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %v: %w\n%s", name, args, err, out)
	}
	return nil
}
