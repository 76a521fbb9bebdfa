// Objects runs in a guest of the boot rig that has a Kubernetes API. It prints which version of the rig's release the objects there
// are of: a ConfigMap that every version has, and one that only this version has. Objects of several versions, or too few, are all
// printed, which is no version. Called with "revision" it prints the revision of the one that every version has, which changes with
// each write.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/sallyport-dev/sallyport/internal/bootrig/wire"
)

const (
	answerTime = 20 * time.Second
	maxAnswer  = 4 << 20
)

// configMap is what of a ConfigMap is looked at.
type configMap struct {
	Metadata struct{ Name, ResourceVersion string }
	Data     struct{ Version string }
}

func main() {
	objects, err := list()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if len(os.Args) > 1 && os.Args[1] == "revision" {
		fmt.Println(revision(objects))
		return
	}
	fmt.Println(version(objects))
}

// list asks the API for the ConfigMaps of the rig, by name.
func list() (objects []configMap, err error) {
	pem, err := os.ReadFile(wire.ClusterCert)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	client := &http.Client{Timeout: answerTime, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, wire.ClusterServer+"/api/v1/namespaces/default/configmaps", nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+wire.ClusterToken)
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New(resp.Status)
	}
	var all struct{ Items []configMap }
	if err := json.Unmarshal(body, &all); err != nil {
		return nil, err
	}
	for _, o := range all.Items {
		if strings.HasPrefix(o.Metadata.Name, wire.ClusterObject) {
			objects = append(objects, o)
		}
	}
	return objects, nil
}

// version is that of two objects which make up a release, or all that there is.
func version(objects []configMap) string {
	if len(objects) == 2 && objects[0].Metadata.Name == wire.ClusterObject {
		v := objects[0].Data.Version
		if own := objects[1]; own.Data.Version == v && own.Metadata.Name == wire.OwnObject(v) {
			return v
		}
	}
	var all []string
	for _, o := range objects {
		all = append(all, o.Metadata.Name+"="+o.Data.Version)
	}
	return strings.Join(all, " ")
}

// revision is that of the object which every version has; empty if it is not there.
func revision(objects []configMap) string {
	for _, o := range objects {
		if o.Metadata.Name == wire.ClusterObject {
			return o.Metadata.ResourceVersion
		}
	}
	return ""
}
