package argo

import (
	"sort"
	"strings"

	"sigs.k8s.io/yaml"
)

const head = `# Health checks and actions of Rollcall's kinds, as Argo CD reads them. Made of the files in this folder by ` + "`make docs`" + `.
#
# kubectl -n argocd patch configmap argocd-cm --patch-file examples/argocd/argocd-cm.yaml
`

type definition struct {
	Name string `json:"name"`
	Lua  string `json:"action.lua"`
}

type actions struct {
	Discovery   string       `json:"discovery.lua"`
	Definitions []definition `json:"definitions"`
}

// ConfigMap is the part of argocd-cm that makes Argo CD know the kinds.
func (scripts Scripts) ConfigMap() ([]byte, error) {
	data := map[string]string{}
	for name, kind := range scripts {
		key := strings.ReplaceAll(name, "/", "_")
		data["resource.customizations.health."+key] = kind.Health
		if len(kind.Actions) == 0 {
			continue
		}
		all := actions{Discovery: kind.Discovery}
		for action, text := range kind.Actions {
			all.Definitions = append(all.Definitions, definition{Name: action, Lua: text})
		}
		sort.Slice(all.Definitions, func(i, j int) bool { return all.Definitions[i].Name < all.Definitions[j].Name })
		text, err := yaml.Marshal(all)
		if err != nil {
			return nil, err
		}
		data["resource.customizations.actions."+key] = string(text)
	}
	text, err := yaml.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "argocd-cm", "namespace": "argocd"}, "data": data,
	})
	return append([]byte(head), text...), err
}
