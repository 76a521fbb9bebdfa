// Package grubtest is a model of GRUB for tests: it reads and writes environment blocks as GRUB 2.06 does, byte by byte and by no
// code of the loader's, and runs what sallyport.cfg and RAUC's script say.
package grubtest

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"strings"
)

const signature = "# GRUB Environment Block\n"

// Load gives the variables of a block, of one that is there several times the last; an error where GRUB reads none.
func Load(data []byte) (map[string]string, error) {
	if !bytes.HasPrefix(data, []byte(signature)) {
		return nil, errors.New("invalid environment block")
	}
	vars := map[string]string{}
	for p := len(signature); p < len(data); {
		if data[p] == '#' {
			p = nextLine(data, p)
			continue
		}
		eq := bytes.IndexByte(data[p:], '=')
		if eq < 0 {
			break
		}
		name := string(data[p : p+eq])
		var value []byte
		p += eq + 1
		for p < len(data) && data[p] != '\n' {
			if data[p] == '\\' {
				p++
			}
			if p < len(data) {
				value = append(value, data[p])
			}
			p++
		}
		if p >= len(data) {
			break
		}
		vars[name] = string(value)
		p++
	}
	return vars, nil
}

func nextLine(data []byte, p int) int {
	for p < len(data) && data[p] != '\n' {
		if data[p] == '\\' {
			p++
		}
		p++
	}
	return min(p+1, len(data))
}

// Save sets a variable in a block that has it, to a value as long as the one that is there: all that scripts ask of GRUB.
func Save(data []byte, name, value string) error {
	end := len(data)
	for end > 0 && data[end-1] == '#' {
		end--
	}
	if end == 0 || data[end-1] != '\n' {
		return errors.New("environment block too small")
	}
	for p := len(signature); p < end; p = nextLine(data, p) {
		if rest, found := bytes.CutPrefix(data[p:end], []byte(name+"=")); found {
			if bytes.IndexByte(rest, '\n') != len(value) {
				return errors.New("a script of ours never changes a length")
			}
			copy(rest, value)
			return nil
		}
	}
	return errors.New("a script of ours never makes a variable")
}

// Boot is one run of a script.
type Boot struct {
	Slot  string // empty if nothing can be booted
	Param string // what goes to the kernel's command line
	Probe bool   // no state said which slot to boot
}

// Script is a script that boots one of the slots. save keeps the block that it is given.
type Script func(data []byte, names []string, save func([]byte) error) Boot

// Sallyport is sallyport.cfg.
func Sallyport(data []byte, names []string, save func([]byte) error) Boot {
	vars, _ := Load(data)
	boot := func(name string) Boot {
		return Boot{Slot: name, Param: "sallyport.slot=" + name + " sallyport.env=" + vars["sallyport_mark"]}
	}
	order := strings.Fields(vars["sallyport_order"])
	for _, name := range order {
		left := vars["sallyport_"+name+"_left"]
		switch vars["sallyport_"+name+"_state"] {
		case "good":
			return boot(name)
		case "trial":
			n, err := strconv.Atoi(left)
			if err != nil || n < 1 || n > 7 {
				continue
			}
			data = bytes.Clone(data)
			if Save(data, "sallyport_"+name+"_left", strconv.Itoa(n-1)) == nil && save(data) == nil {
				return boot(name)
			}
		}
	}
	b := boot(names[0])
	b.Probe = true
	return b
}

// RAUC is the script that RAUC's documentation shows.
func RAUC(data []byte, names []string, save func([]byte) error) Boot {
	vars, _ := Load(data)
	booted := ""
	for _, name := range strings.Fields(vars["ORDER"]) {
		if vars[name+"_OK"] == "1" && vars[name+"_TRY"] == "0" {
			booted = name
			break
		}
	}
	probe := booted == ""
	if probe {
		booted = names[0]
	}
	data = bytes.Clone(data)
	if Save(data, booted+"_TRY", "1") == nil {
		_ = save(data)
	}
	// What RAUC's machines do after each boot; a slot on trial has to wait for its verdict.
	if vars["sallyport_trial"] != booted && !probe && Save(data, booted+"_TRY", "0") == nil {
		_ = save(data)
	}
	return Boot{Slot: booted, Param: "rauc.slot=" + booted + " sallyport.env=" + vars["sallyport_mark"], Probe: probe}
}

// Run reads the block at path, runs the script, and lets it save there unless unsaved.
func Run(script Script, path string, names []string, unsaved bool) (Boot, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Boot{}, err
	}
	return script(data, names, func(b []byte) error {
		if unsaved {
			return errors.New("cannot write")
		}
		return os.WriteFile(path, b, 0o600)
	}), nil
}
