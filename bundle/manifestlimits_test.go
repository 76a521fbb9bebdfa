package bundle_test

import (
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/bundle"
)

func TestManifestsAreBoundedBeforeTheyAreDecoded(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		good bool
	}{
		"an index of many":     {`{"manifests":[` + strings.Repeat(`{"digest":"sha256:x","platform":{"os":"linux"}},`, 5000) + `{}]}`, true},
		"text in a string":     {`{"annotations":{"a":"` + strings.Repeat(`{[,\"`, 200_000) + `"}}`, true},
		"an escape at the end": {`{"a":"\`, true},
		"no JSON":              {`"`, true},
		"too large":            {strings.Repeat(" ", bundle.MaxManifestSize+1), false},
		"dense objects":        {`{"layers":[` + strings.Repeat("{},", 40_000) + `{}]}`, false},
		"dense values":         {`{"urls":[` + strings.Repeat(`"",`, 200_000) + `""]}`, false},
		"dense members":        {`{"annotations":{` + strings.Repeat(`"":"",`, 200_000) + `"":""}}`, false},
		"nested lists":         {strings.Repeat("[", 65), false},
		"nested objects":       {strings.Repeat(`{"a":`, 1000), false},
	} {
		if err := bundle.CheckManifest([]byte(test.text)); (err == nil) != test.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}
