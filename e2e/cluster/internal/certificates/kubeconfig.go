package certificates

import "encoding/json"

// Kubeconfig is a whole client configuration in one file: it can be copied, and mounted, without the files around it.
// It is JSON, which every reader of YAML takes.
func Kubeconfig(server string, authority []byte, user string, client Pair) ([]byte, error) {
	type object = map[string]any
	return json.MarshalIndent(object{
		"apiVersion": "v1",
		"kind":       "Config",
		"clusters": []object{{"name": "rollcall-e2e", "cluster": object{
			"server":                     server,
			"certificate-authority-data": authority, // a []byte becomes base64, as the format wants it
		}}},
		"users": []object{{"name": user, "user": object{
			"client-certificate-data": client.Certificate,
			"client-key-data":         client.Key,
		}}},
		"contexts":        []object{{"name": "rollcall-e2e", "context": object{"cluster": "rollcall-e2e", "user": user}}},
		"current-context": "rollcall-e2e",
	}, "", "  ")
}
