//go:build site

package cmd

import (
	"bytes"
	"strings"
	"testing"
)

func TestSiteProgramHasNoFactoryVerbs(t *testing.T) {
	var out, errs bytes.Buffer
	if code := Main([]string{"--help"}, nil, &out, &errs); code != exitDone {
		t.Fatalf("--help: exit status %d\n%s", code, errs.String())
	}
	for _, verb := range []string{"apply", "stage", "rollback", "verify", "inspect", "mirror"} {
		if !strings.Contains(out.String(), "\n  "+verb+" ") {
			t.Errorf("--help does not list %s", verb)
		}
	}
	for _, verb := range []string{"build", "sign", "key"} {
		if strings.Contains(out.String(), "\n  "+verb+" ") {
			t.Errorf("--help lists %s", verb)
		}
		errs.Reset()
		if code := Main([]string{verb}, nil, &out, &errs); code != exitUsage {
			t.Errorf("%s: exit status %d, want %d", verb, code, exitUsage)
		}
		if !strings.HasPrefix(errs.String(), "error: ") || !strings.Contains(errs.String(), "\nhint:  ") {
			t.Errorf("%s says %q", verb, errs.String())
		}
	}
}
