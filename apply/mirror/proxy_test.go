package mirror

import (
	"net/http"
	"testing"
)

func TestHostsThatAreNearNeedNoProxy(t *testing.T) {
	for host, want := range map[string]bool{
		"127.0.0.1": true, "::1": true, "10.1.2.3": true, "172.16.0.1": true, "192.168.1.1": true, "169.254.1.1": true, "fe80::1%eth0": true,
		"fd00::1": true, "::ffff:10.0.0.1": true, "localhost": true, "registry": true, "mirror.local": true, "Mirror.Local.": true, "x.localhost": true,
		"192.0.2.1": false, "2001:db8::1": false, "8.8.8.8": false, "no-such-host.invalid": false, "172.32.0.1": false,
	} {
		if got := isNear(t.Context(), host); got != want {
			t.Errorf("%s is near: %v, want %v", host, got, want)
		}
	}
}

func TestNamedProxyIsAlwaysUsed(t *testing.T) {
	f, err := proxyFor("http://proxy.store:3128")
	if err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{"http://127.0.0.1:5000/v2/", "https://registry.example.com/v2/"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if u, err := f(req); err != nil || u == nil || u.Host != "proxy.store:3128" {
			t.Errorf("%s goes by %v, %v", url, u, err)
		}
	}
	for _, bad := range []string{"proxy:3128", "ftp://a", "://", "http://"} {
		if _, err := proxyFor(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
