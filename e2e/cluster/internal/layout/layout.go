// Package layout says where everything of one cluster lies in its directory, and what is remembered about it.
//
// Nothing of a cluster lies outside its directory, so that taking it down is removing one folder.
package layout

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"rollcall.dev/e2e/cluster/internal/ports"
)

// Dir is the absolute path of a cluster's directory.
type Dir string

// State is what `up` decided once and every later command must know.
type State struct {
	Node       bool      `json:"node"`
	APIServers int       `json:"apiServers"` // on one etcd
	Ports      ports.Set `json:"ports"`
}

// Default is where a cluster lives when nobody says otherwise.
func Default() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "rollcall", "cluster"), nil
}

// At makes the path absolute and resolves links, also in the part of it that exists already:
// a directory must have one name, because things outside it are named after its path.
func At(path string) (Dir, error) {
	existing, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	missing := ""
	for {
		real, err := filepath.EvalSymlinks(existing)
		if err == nil {
			return Dir(filepath.Join(real, missing)), nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
		missing = filepath.Join(filepath.Base(existing), missing)
		existing = filepath.Dir(existing)
	}
}

// Path joins names below the directory.
func (d Dir) Path(names ...string) string {
	return filepath.Join(append([]string{string(d)}, names...)...)
}

// PKI is a file among the certificates and keys.
func (d Dir) PKI(name string) string { return d.Path("pki", name) }

// Kubeconfig is the administrator's, the one that `up` prints.
func (d Dir) Kubeconfig() string { return d.Path("kubeconfig") }

// ComponentKubeconfig is the one a component uses.
func (d Dir) ComponentKubeconfig(name string) string { return d.Path("kubeconfigs", name) }

// Log is where a component's output goes.
func (d Dir) Log(name string) string { return d.Path(name + ".log") }

// Ready exists while the whole cluster answers.
func (d Dir) Ready() string { return d.Path("run", "ready") }

// Pid remembers the process of a component.
func (d Dir) Pid(name string) string { return d.Path("run", name+".pid.json") }

// Pids lists all the remembered ones.
func (d Dir) Pids() []string {
	found, _ := filepath.Glob(d.Path("run", "*.pid.json")) // the pattern is ours, and the only error is a bad pattern
	return found
}

// Containerd is the socket of the node's container runtime.
func (d Dir) Containerd() string { return d.Path("containerd", "sock") }

// ID is short and distinct for each directory: names of things the kernel keeps for the whole machine carry it.
func (d Dir) ID() string {
	sum := sha256.Sum256([]byte(d))
	return hex.EncodeToString(sum[:4])
}

// Mark is the file of the state. A directory without it is not a cluster's, and nothing in it is ever removed.
const Mark = "cluster.json"

func (d Dir) state() string { return d.Path(Mark) }

// Remember writes the state.
func (d Dir) Remember(state State) error {
	content, err := json.MarshalIndent(state, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(d.state(), content, 0o600)
}

// Recall reads the state; found is false where no cluster is or was.
func (d Dir) Recall() (state State, found bool, err error) {
	content, err := os.ReadFile(d.state())
	if errors.Is(err, os.ErrNotExist) {
		return State{}, false, nil
	}
	if err != nil {
		return State{}, false, err
	}
	if err := json.Unmarshal(content, &state); err != nil {
		return State{}, false, fmt.Errorf("%s: %w", d.state(), err)
	}
	return state, true, nil
}
