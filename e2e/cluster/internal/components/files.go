package components

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"time"

	"rollcall.dev/e2e/cluster/internal/certificates"
	"rollcall.dev/e2e/cluster/internal/layout"
)

type object = map[string]any

// WriteFiles writes all that the control plane reads: certificates, kubeconfigs, and what to audit.
func WriteFiles(dir layout.Dir, state layout.State, now time.Time) error {
	for _, folder := range []string{"pki", "kubeconfigs", "run", "tmp"} {
		if err := os.MkdirAll(dir.Path(folder), 0o700); err != nil {
			return err
		}
	}
	authority, err := certificates.NewAuthority(now)
	if err != nil {
		return err
	}
	if err := writePair(dir, "ca", authority.Pair); err != nil {
		return err
	}
	if err := writeServiceAccountKey(dir); err != nil {
		return err
	}
	for _, identity := range identities {
		if err := writeIdentity(dir, state, authority, identity, now); err != nil {
			return err
		}
	}
	return writeJSON(dir.Path("audit-policy.json"), auditPolicy)
}

// An identity is a certificate, kept as files, as a kubeconfig, or both.
type identity struct {
	file       string
	kubeconfig func(layout.Dir) string
	server     string // where this one reaches the API server
	certificates.Identity
}

var identities = []identity{
	// In masters because it is also how the API server calls the kubelet.
	{file: "apiserver", Identity: certificates.Identity{
		Name: "kube-apiserver", Groups: []string{"system:masters"},
		Addresses: addresses("127.0.0.1", LinkHost, apiService, Loopback(2), Advertised(1), Advertised(2)), Hosts: []string{"localhost", "kubernetes.default.svc"},
	}},
	{file: "kubelet", kubeconfig: component("kubelet"), server: LinkHost, Identity: certificates.Identity{
		Name: "system:node:" + NodeName, Groups: []string{"system:nodes"},
		Addresses: addresses("127.0.0.1", LinkNode), Hosts: []string{NodeName},
	}},
	{file: "admin", kubeconfig: layout.Dir.Kubeconfig, server: "127.0.0.1", Identity: certificates.Identity{
		Name: "admin", Groups: []string{"system:masters"}}},
	{kubeconfig: component("controller-manager"), server: "127.0.0.1", Identity: certificates.Identity{Name: "system:kube-controller-manager"}},
	{kubeconfig: component("scheduler"), server: "127.0.0.1", Identity: certificates.Identity{Name: "system:kube-scheduler"}},
	{kubeconfig: component("proxy"), server: LinkHost, Identity: certificates.Identity{Name: "system:kube-proxy"}},
}

func component(name string) func(layout.Dir) string {
	return func(dir layout.Dir) string { return dir.ComponentKubeconfig(name) }
}

func addresses(texts ...string) (parsed []net.IP) {
	for _, text := range texts {
		parsed = append(parsed, net.ParseIP(text))
	}
	return parsed
}

func writeIdentity(dir layout.Dir, state layout.State, authority *certificates.Authority, identity identity, now time.Time) error {
	pair, err := authority.Issue(identity.Identity, now)
	if err != nil {
		return err
	}
	if identity.file != "" {
		if err := writePair(dir, identity.file, pair); err != nil {
			return err
		}
	}
	if identity.kubeconfig == nil {
		return nil
	}
	server := fmt.Sprintf("https://%s:%d", identity.server, state.Ports.APIServer)
	content, err := certificates.Kubeconfig(server, authority.Certificate, identity.Name, pair)
	if err != nil {
		return err
	}
	return os.WriteFile(identity.kubeconfig(dir), content, 0o600)
}

func writePair(dir layout.Dir, name string, pair certificates.Pair) error {
	if err := os.WriteFile(dir.PKI(name+".crt"), pair.Certificate, 0o600); err != nil {
		return err
	}
	return os.WriteFile(dir.PKI(name+".key"), pair.Key, 0o600)
}

func writeServiceAccountKey(dir layout.Dir) error {
	private, public, err := certificates.ServiceAccountKey()
	if err != nil {
		return err
	}
	if err := os.WriteFile(dir.PKI("sa.key"), private, 0o600); err != nil {
		return err
	}
	return os.WriteFile(dir.PKI("sa.pub"), public, 0o600)
}

// writeJSON writes a configuration: JSON is YAML, and needs no care for quoting.
func writeJSON(path string, content any) error {
	text, err := json.MarshalIndent(content, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

// auditPolicy notes every call of a service account, once, when it is answered: tests count the calls of one identity.
// Kubernetes' own controllers are left out, and so is everybody who holds a certificate. The first rule that fits decides.
var auditPolicy = object{
	"apiVersion": "audit.k8s.io/v1",
	"kind":       "Policy",
	"omitStages": []string{"RequestReceived"},
	"rules": []object{
		{"level": "None", "userGroups": []string{"system:serviceaccounts:kube-system"}},
		{"level": "Metadata", "userGroups": []string{"system:serviceaccounts"}},
		{"level": "None"},
	},
}
