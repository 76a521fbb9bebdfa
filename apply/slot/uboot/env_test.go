package uboot

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func TestEnvKeepsWhatIsNotOurs(t *testing.T) {
	data := []byte("bootcmd=run a; b\x00x=\x00odd\x00=\x00y=\xff\x00\x00garbage behind the end")
	e, err := parseEnv(data)
	if err != nil {
		t.Fatal(err)
	}
	if want := (env{"bootcmd=run a; b", "x=", "odd", "=", "y=\xff"}); !slices.Equal(e, want) {
		t.Errorf("got %q", e)
	}
	out, err := e.set("x", "1").set("new", "2").marshal(64)
	if err != nil || !bytes.HasPrefix(out, []byte("bootcmd=run a; b\x00x=1\x00odd\x00=\x00y=\xff\x00new=2\x00\x00")) || len(out) != 64 {
		t.Errorf("got %q, %v", out, err)
	}
	if _, found, _ := e.get("odd"); found {
		t.Error("what has no = is a variable")
	}
}

func TestEnvHasNoEnd(t *testing.T) {
	for _, text := range []string{"", "a", "a=1", "a=1\x00", "a=1\x00b=2\x00"} {
		if e, err := parseEnv([]byte(text)); err == nil {
			t.Errorf("%q: got %q", text, e)
		}
	}
	if e, err := parseEnv([]byte{0}); err != nil || len(e) != 0 {
		t.Errorf("an empty environment: %q, %v", e, err)
	}
}

func TestEnvHasNoRoom(t *testing.T) {
	e := env{"a=1"}
	if _, err := e.marshal(5); err != nil {
		t.Error(err)
	}
	if _, err := e.marshal(4); err == nil || !strings.Contains(err.Error(), "has no room") {
		t.Errorf("got %v", err)
	}
}

// U-Boot takes the last of two, fw_printenv the first.
func TestEnvHasItTwice(t *testing.T) {
	if _, _, err := (env{"a=1", "b=2", "a=3"}).get("a"); err == nil {
		t.Error("one of two is taken")
	}
}

func FuzzParseEnv(f *testing.F) {
	for _, seed := range []string{"\x00", "a=1\x00\x00", "a=1\x00b\x00\x00xx", "BOOT_ORDER=A B\x00BOOT_A_LEFT=3\x00sallyport_A=trial\x00\x00", "a=1\x00"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := parseEnv(data)
		if err != nil {
			return
		}
		out, err := e.marshal(len(data))
		if err != nil {
			t.Fatal(err)
		}
		end := len(strings.Join(e, "\x00")) + min(1, len(e)) + 1
		if !bytes.Equal(out[:end], data[:end]) || len(out) != len(data) {
			t.Errorf("%q became %q", data, out)
		}
		tab, err := readTable(e, "A", "B")
		if err != nil {
			return
		}
		armed, err := readTable(tab.arm(e, "B", 3), "A", "B")
		if err != nil || armed.slots["B"].Left != 3 || !armed.slots["B"].First || armed.slots["A"].Verdict != tab.slots["A"].Verdict {
			t.Errorf("%q, armed: %+v, %v", data, armed, err)
		}
	})
}
