package image

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"testing"
)

// unpack reads an archive into its files.
func unpack(t *testing.T, content []byte) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for reader := tar.NewReader(bytes.NewReader(content)); ; {
		header, err := reader.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[header.Name], err = io.ReadAll(reader); err != nil {
			t.Fatal(err)
		}
	}
}

func write(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := Write(&out, "localhost/pause:1", "/usr/bin/wait", []byte("program"), "-P"); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestTheManifestLeadsToTheConfigurationAndTheLayer(t *testing.T) {
	files := unpack(t, write(t))
	var manifest []struct {
		Config           string
		RepoTags, Layers []string
	}
	if err := json.Unmarshal(files["manifest.json"], &manifest); err != nil {
		t.Fatal(err)
	}
	var configuration struct {
		Config struct{ Entrypoint []string }
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	if err := json.Unmarshal(files[manifest[0].Config], &configuration); err != nil {
		t.Fatal(err)
	}
	layer := files[manifest[0].Layers[0]]
	if got := configuration.RootFS.DiffIDs[0]; got != "sha256:"+digest(layer) {
		t.Errorf("the layer's digest is %s", got)
	}
	if got := configuration.Config.Entrypoint; len(got) != 2 || got[0] != "/wait" || got[1] != "-P" {
		t.Errorf("the entry point is %v", got)
	}
	if got := string(unpack(t, layer)["wait"]); got != "program" {
		t.Errorf("the program is %q", got)
	}
	if got := manifest[0].RepoTags[0]; got != "localhost/pause:1" {
		t.Errorf("the name is %q", got)
	}
}

func TestTheSameInputMakesTheSameBytes(t *testing.T) {
	if !bytes.Equal(write(t), write(t)) {
		t.Fatal("they differ")
	}
}
