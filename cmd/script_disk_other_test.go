//go:build !linux && !site

package cmd

import "errors"

func mountDisk(string, string) error { return errors.ErrUnsupported }

func unmountDisk(string) error { return errors.ErrUnsupported }

func canMount() bool { return false }
