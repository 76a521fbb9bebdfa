//go:build !linux

package apply

import (
	"context"
	"errors"
)

// rebootMachine is for Linux only, as sites are.
func rebootMachine(context.Context) error {
	return errors.New("only Linux machines are rebooted")
}
