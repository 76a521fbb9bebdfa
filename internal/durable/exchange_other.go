//go:build !linux

package durable

import "errors"

// exchange is for Linux only: sites are.
func exchange(_, _ string) error { return errors.ErrUnsupported }
