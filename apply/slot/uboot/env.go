package uboot

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// env is an environment: its variables as NAME=VALUE, in their order. What is no variable is kept as it is.
type env []string

// parseEnv reads the variables of a copy, of which data is everything behind the header.
func parseEnv(data []byte) (env, error) {
	var e env
	for {
		end := bytes.IndexByte(data, 0)
		switch {
		case end < 0:
			return nil, errors.New("the environment has no end")
		case end == 0:
			return e, nil
		}
		e = append(e, string(data[:end]))
		data = data[end+1:]
		if len(data) == 0 {
			return nil, errors.New("the environment has no end")
		}
	}
}

// marshal is the inverse of parseEnv, padded with zeros to size bytes.
func (e env) marshal(size int) ([]byte, error) {
	var b bytes.Buffer
	for _, v := range e {
		b.WriteString(v)
		b.WriteByte(0)
	}
	b.WriteByte(0)
	if b.Len() > size {
		return nil, fmt.Errorf("the environment has no room: its variables take %d bytes of %d", b.Len(), size)
	}
	return append(b.Bytes(), make([]byte, size-b.Len())...), nil
}

// get returns a variable's value. One that is there twice is an error: U-Boot takes the last, and fw_printenv the first.
func (e env) get(name string) (value string, found bool, err error) {
	for _, v := range e {
		rest, ok := strings.CutPrefix(v, name+"=")
		if !ok {
			continue
		}
		if found {
			return "", false, fmt.Errorf("the environment has %s twice", name)
		}
		value, found = rest, true
	}
	return value, found, nil
}

// set returns the environment with a variable changed in its place, or added at the end.
func (e env) set(name, value string) env {
	out, found := make(env, 0, len(e)+1), false
	for _, v := range e {
		if strings.HasPrefix(v, name+"=") {
			v, found = name+"="+value, true
		}
		out = append(out, v)
	}
	if !found {
		out = append(out, name+"="+value)
	}
	return out
}
