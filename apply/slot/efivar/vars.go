package efivar

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sallyport-dev/sallyport/internal/durable"
)

// Dir is where Linux mounts efivarfs.
const Dir = "/sys/firmware/efi/efivars"

// Attributes of a variable. Stored is what boot entries and their order have: kept over a reset, and seen by boot loaders and by
// the running system.
const (
	NonVolatile   = 1 << 0
	BootService   = 1 << 1
	RuntimeAccess = 1 << 2
	Stored        = NonVolatile | BootService | RuntimeAccess
)

// Limits: bytes of a variable, and how many there may be.
const (
	maxVariable  = 64 << 10
	maxVariables = 16 << 10
)

// Variable is what firmware keeps under a name. One without NonVolatile was set in this boot, before the system ran: Linux cannot
// make one.
type Variable struct {
	Attributes uint32
	Data       []byte
}

// Vars is a folder of variables: efivarfs, or one that stands for it.
type Vars struct {
	Dir  string
	Disk durable.Disk
}

func (v Vars) path(name string, vendor GUID) string {
	return filepath.Join(v.Dir, name+"-"+vendor.String())
}

// Read returns a variable; the error of one that is not there is fs.ErrNotExist.
func (v Vars) Read(name string, vendor GUID) (Variable, error) {
	f, err := os.Open(v.path(name, vendor))
	if err != nil {
		return Variable{}, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 4+maxVariable+1))
	switch {
	case err != nil:
		return Variable{}, err
	case len(b) < 4:
		return Variable{}, fmt.Errorf("the EFI variable %s is shorter than its attributes", name)
	case len(b) > 4+maxVariable:
		return Variable{}, fmt.Errorf("the EFI variable %s is longer than %d bytes", name, maxVariable)
	}
	return Variable{Attributes: binary.LittleEndian.Uint32(b), Data: b[4:]}, nil
}

// Write sets a variable and reads it back: there is firmware that reports success and keeps the old value.
func (v Vars) Write(name string, vendor GUID, value Variable) error {
	path := v.path(name, vendor)
	// One write carries all: efivarfs hands each to the firmware as a whole value.
	data := append(binary.LittleEndian.AppendUint32(nil, value.Attributes), value.Data...)
	kind := durable.OpWrite
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		kind = durable.OpCreate
	}
	err := v.do(kind, path, func() error { return set(path, data) })
	if err == nil {
		// The firmware has it by now; this tells it to a Disk that keeps count of what a power cut takes away.
		err = v.do(durable.OpSync, path, func() error { return nil })
	}
	if err != nil {
		return fmt.Errorf("cannot write the EFI variable %s: %w", name, err)
	}
	got, err := v.Read(name, vendor)
	if err != nil {
		return fmt.Errorf("cannot read back the EFI variable %s: %w", name, err)
	}
	if got.Attributes != value.Attributes || !bytes.Equal(got.Data, value.Data) {
		return fmt.Errorf("the firmware took the EFI variable %s and kept another value", name)
	}
	return nil
}

func (v Vars) do(kind durable.Kind, path string, do func() error) error {
	if v.Disk.Intercept == nil {
		return do()
	}
	return v.Disk.Intercept(durable.Op{Kind: kind, Path: path}, do)
}

// set hands a value over by one write. What a plain folder has left of a longer value is cut off; efivarfs never has any.
func set(path string, data []byte) (err error) {
	freeze, err := thaw(path)
	if err != nil {
		return err
	}
	_, err = os.Lstat(path)
	made := errors.Is(err, fs.ErrNotExist)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return errors.Join(err, freeze())
	}
	_, err = f.Write(data)
	if info, statErr := f.Stat(); err == nil && statErr == nil && info.Size() > int64(len(data)) {
		err = f.Truncate(int64(len(data)))
	}
	err = errors.Join(err, f.Close(), freeze())
	if err != nil && made {
		// A name without a value would stay until the next boot.
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// Remove deletes a variable; that there is none is no error.
func (v Vars) Remove(name string, vendor GUID) error {
	path := v.path(name, vendor)
	err := v.do(durable.OpRemove, path, func() error {
		if _, err := thaw(path); err != nil {
			return err
		}
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
	if err == nil {
		err = v.do(durable.OpSyncDir, v.Dir, func() error { return nil })
	}
	if err != nil {
		return fmt.Errorf("cannot delete the EFI variable %s: %w", name, err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the firmware has not deleted the EFI variable %s", name)
	}
	return nil
}

// Names are the names of a vendor's variables, in no order.
func (v Vars) Names(vendor GUID) ([]string, error) {
	dir, err := os.Open(v.Dir)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	all, err := dir.Readdirnames(maxVariables + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if len(all) > maxVariables {
		return nil, fmt.Errorf("%s holds more than %d variables", v.Dir, maxVariables)
	}
	var names []string
	for _, file := range all {
		if name, ok := strings.CutSuffix(file, "-"+vendor.String()); ok {
			names = append(names, name)
		}
	}
	return names, nil
}
