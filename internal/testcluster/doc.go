// Package testcluster gives a test a real Kubernetes API: etcd and kube-apiserver on free loopback ports, gone with the
// test. There are no controllers and no nodes: a Deployment stays as it was applied until the test patches its status.
//
// etcd is Debian's etcd-server. kube-apiserver is built by internal/testcluster/build into a cache folder outside the
// tree. A test that lacks either fails and says what to do; make test provides both.
package testcluster
