package life

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
	"time"

	"rollcall.dev/e2e/cluster/internal/components"
	"rollcall.dev/e2e/cluster/internal/layout"
)

// api asks the cluster whether it works. Plain HTTP: three questions do not need a client library.
type api struct {
	client       *http.Client
	server, etcd string
	servers      []string // each of them
}

func newAPI(dir layout.Dir, state layout.State) (*api, error) {
	authority, err := os.ReadFile(dir.PKI("ca.crt"))
	if err != nil {
		return nil, err
	}
	admin, err := tls.LoadX509KeyPair(dir.PKI("admin.crt"), dir.PKI("admin.key"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	var servers []string
	for number := 1; number <= state.APIServers; number++ {
		servers = append(servers, fmt.Sprintf("https://%s:%d", components.Loopback(number), state.Ports.APIServer))
	}
	return &api{
		servers: servers,
		client: &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
			// No Proxy: one set in the environment must not see these calls.
			TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{admin}},
		}},
		server: fmt.Sprintf("https://127.0.0.1:%d", state.Ports.APIServer),
		etcd:   fmt.Sprintf("http://127.0.0.1:%d", state.Ports.EtcdClient),
	}, nil
}

func (a *api) etcdAnswers(ctx context.Context) error {
	_, err := a.get(ctx, a.etcd+"/health")
	return err
}

func (a *api) answers(ctx context.Context) error {
	for _, server := range a.servers {
		if _, err := a.get(ctx, server+"/readyz"); err != nil {
			return err
		}
	}
	return nil
}

// controllersWork looks at what one of the first controllers makes, and what every test's pods and tokens need.
func (a *api) controllersWork(ctx context.Context) error {
	_, err := a.get(ctx, a.server+"/api/v1/namespaces/default/serviceaccounts/default")
	return err
}

func (a *api) nodeReady(ctx context.Context) error {
	content, err := a.get(ctx, a.server+"/api/v1/nodes/"+components.NodeName)
	if err != nil {
		return err
	}
	return ready(content)
}

// ready reads a Node.
func ready(content []byte) error {
	var node struct {
		Status struct {
			Conditions []struct{ Type, Status, Message string }
		}
	}
	if err := json.Unmarshal(content, &node); err != nil {
		return err
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == "Ready" && condition.Status == "True" {
			return nil
		}
		if condition.Type == "Ready" {
			return errors.New(condition.Message)
		}
	}
	return errors.New("the node says nothing about itself yet")
}

func (a *api) get(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := a.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", url, response.Status)
	}
	return content, err
}
