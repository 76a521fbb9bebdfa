package mirror

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"
)

// lookupTime is how long the mirror's name is looked up to find out whether it is near.
const lookupTime = 2 * time.Second

// proxyFor says by which proxy a request goes. One that the site names is used always. Those of the environment are meant
// for the way to the internet, and do not know a site's own machines: they are used for hosts that are not near.
func proxyFor(named string) (func(*http.Request) (*url.URL, error), error) {
	if named != "" {
		u, err := url.Parse(named)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "socks5" {
			return nil, configError("proxy %q must be http://HOST:PORT", named)
		}
		return http.ProxyURL(u), nil
	}
	var known sync.Map // of bool, by host
	return func(req *http.Request) (*url.URL, error) {
		proxy, err := http.ProxyFromEnvironment(req)
		if proxy == nil || err != nil {
			return nil, err
		}
		host := req.URL.Hostname()
		near, ok := known.Load(host)
		if !ok {
			near = isNear(req.Context(), host)
			known.Store(host, near)
		}
		if near.(bool) {
			return nil, nil
		}
		return proxy, nil
	}, nil
}

// isNear tells whether a host is this machine or one of its own network: by its address, by a name that only has a
// meaning there, or by what its name leads to.
func isNear(ctx context.Context, host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if addr, err := netip.ParseAddr(host); err == nil {
		return isPrivate(addr)
	}
	if !strings.Contains(host, ".") || strings.HasSuffix(host, ".localhost") || strings.HasSuffix(host, ".local") {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	for _, addr := range addrs {
		if !isPrivate(addr) {
			return false
		}
	}
	return err == nil && len(addrs) > 0
}

func isPrivate(addr netip.Addr) bool {
	addr = addr.Unmap()
	return addr.IsLoopback() || addr.IsPrivate() || addr.IsLinkLocalUnicast() || addr.IsUnspecified()
}
