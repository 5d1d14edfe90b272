// Package mount is tests only: that a Server of the engine mounts in routers that others wrote.
// It is a module of its own, so that their dependencies are not ours.
package mount
