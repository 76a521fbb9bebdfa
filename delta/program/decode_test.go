package program

import (
	"bufio"
	"debug/elf"
	"math/rand/v2"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/internal/testtools"
)

// TestDecodeLikeObjdump compares the decoder's instruction boundaries with objdump's, over the code of
// real programs.
func TestDecodeLikeObjdump(t *testing.T) {
	for _, file := range []string{"/bin/bash", testtools.Tool(t, "go", "golang")} {
		f, err := elf.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if f.Machine != elf.EM_X86_64 {
			t.Skipf("%s is not a program for x86-64", file)
		}
		s := f.Section(".text")
		code, err := s.Data()
		if err != nil {
			t.Fatal(err)
		}
		code = code[:min(len(code), 4<<20)]
		ours := map[uint64]bool{}
		for at := 0; at < len(code); {
			ours[s.Addr+uint64(at)] = true
			in, ok := decode(code[at:])
			if !ok {
				in.size = 1
			}
			at += in.size
		}
		wrong, all := 0, 0
		for _, address := range disassemble(t, file, s.Addr, s.Addr+uint64(len(code))) {
			all++
			if !ours[address] {
				if wrong++; wrong < 20 {
					t.Logf("%s: an instruction at %#x", file, address)
				}
			}
		}
		if all < 10_000 || wrong*1000 > all {
			t.Errorf("%s: %d of %d instructions begin elsewhere", file, wrong, all)
		}
	}
}

// disassemble returns where objdump finds instructions.
func disassemble(t *testing.T, file string, from, to uint64) []uint64 {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), testtools.Tool(t, "objdump", "binutils"), "-d", "-w", "--no-show-raw-insn", "-j", ".text",
		"--start-address="+strconv.FormatUint(from, 10), "--stop-address="+strconv.FormatUint(to, 10), file)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var list []uint64
	for lines := bufio.NewScanner(out); lines.Scan(); {
		head, rest, ok := strings.Cut(lines.Text(), ":\t")
		if address, err := strconv.ParseUint(strings.TrimSpace(head), 16, 64); ok && err == nil && rest != "" {
			list = append(list, address)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return list
}

// TestWithin tells the bytes of instructions apart from their first ones.
func TestWithin(t *testing.T) {
	b := append([]byte{0x90, 0xe8, 0, 0, 0, 0, 0x0f, 0xb6, 0xc0, 0x06, 0x90}, make([]byte, 100)...)
	p := code(CodeAMD64, b, 50, 0)
	p.Regions[0].Size = 11
	got, err := p.Within()
	if err != nil || len(got) != 2 || got[0] != 0b00110111100 || got[1] != 0 {
		t.Errorf("got %b, %v", got, err)
	}
}

// TestCommon takes common instructions for what any are taken for.
func TestCommon(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	b := make([]byte, maxCommon)
	known := 0
	for range 1_000_000 {
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		if r.IntN(2) == 0 {
			b[0] = 0x40 | b[0]&0xf
		}
		in, ok := common((*[maxCommon]byte)(b))
		if want, _ := decodeAny(b); ok && in != want {
			t.Fatalf("% x: got %+v, want %+v", b, in, want)
		} else if ok {
			known++
		}
	}
	if known < 500_000 {
		t.Errorf("only %d of a million are common", known)
	}
}
