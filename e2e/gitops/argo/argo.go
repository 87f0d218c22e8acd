// Package argo runs health checks and actions as Argo CD does: by the same interpreter, with the same few libraries.
package argo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	jsonpatch "github.com/evanphx/json-patch/v5"
	lua "github.com/yuin/gopher-lua"
	luajson "layeh.com/gopher-json"
)

// Health is what a check returns.
type Health struct {
	Status  string `json:"status"`
	Message string `json:"message,omitempty"`
}

// Action is one of what a person may do to an object in Argo CD.
type Action struct {
	Disabled bool `json:"disabled"`
}

// Kind has the scripts of one kind, as Argo CD's own folder resource_customizations has them.
type Kind struct {
	Health    string
	Discovery string
	Actions   map[string]string
}

// Scripts has each kind by its group and name, such as rollcall.dev/Person.
type Scripts map[string]Kind

// Load reads <folder>/<group>/<kind>/{health.lua,actions/discovery.lua,actions/<action>/action.lua}.
func Load(folder string) (Scripts, error) {
	checks, err := filepath.Glob(filepath.Join(folder, "*", "*", "health.lua"))
	if err != nil || len(checks) == 0 {
		return nil, errors.Join(fmt.Errorf("%s has no health check", folder), err)
	}
	scripts := Scripts{}
	for _, check := range checks {
		of := filepath.Dir(check)
		kind := Kind{Actions: map[string]string{}}
		if kind.Health, err = read(check); err != nil {
			return nil, err
		}
		actions, _ := filepath.Glob(filepath.Join(of, "actions", "*", "action.lua"))
		if len(actions) > 0 {
			if kind.Discovery, err = read(filepath.Join(of, "actions", "discovery.lua")); err != nil {
				return nil, err
			}
		}
		for _, action := range actions {
			if kind.Actions[filepath.Base(filepath.Dir(action))], err = read(action); err != nil {
				return nil, err
			}
		}
		name, err := filepath.Rel(folder, of)
		if err != nil {
			return nil, err
		}
		scripts[filepath.ToSlash(name)] = kind
	}
	return scripts, nil
}

func read(path string) (string, error) {
	text, err := os.ReadFile(path)
	return string(text), err
}

func (scripts Scripts) of(object map[string]any) (Kind, error) {
	version, _ := object["apiVersion"].(string)
	group, _, _ := strings.Cut(version, "/")
	name := fmt.Sprintf("%s/%s", group, object["kind"])
	kind, known := scripts[name]
	if !known {
		return kind, fmt.Errorf("there is no health check of a %s", name)
	}
	return kind, nil
}

// Health says how an object is.
func (scripts Scripts) Health(object map[string]any) (Health, error) {
	health := Health{}
	kind, err := scripts.of(object)
	if err != nil {
		return health, err
	}
	text, err := run(kind.Health, object)
	if err != nil {
		return health, err
	}
	err = json.Unmarshal(text, &health)
	return health, err
}

// Actions says what may be done to an object.
func (scripts Scripts) Actions(object map[string]any) (map[string]Action, error) {
	actions := map[string]Action{}
	kind, err := scripts.of(object)
	if err != nil || kind.Discovery == "" {
		return actions, err
	}
	text, err := run(kind.Discovery, object)
	if err != nil {
		return actions, err
	}
	err = json.Unmarshal(text, &actions)
	return actions, err
}

// Act gives what an action changes of an object, as the merge patch that Argo CD sends.
func (scripts Scripts) Act(object map[string]any, action string) ([]byte, error) {
	kind, err := scripts.of(object)
	if err != nil {
		return nil, err
	}
	script, known := kind.Actions[action]
	if !known {
		return nil, fmt.Errorf("there is no action %s", action)
	}
	text, err := run(script, object)
	if err != nil {
		return nil, err
	}
	after := map[string]any{}
	if err := json.Unmarshal(text, &after); err != nil {
		return nil, err
	}
	was, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	is, err := json.Marshal(cleaned(after, object))
	if err != nil {
		return nil, err
	}
	return jsonpatch.CreateMergePatch(was, is)
}

// cleaned takes back what Lua makes of an empty map, which is an empty list, as Argo CD does.
func cleaned(after, before any) any {
	switch before := before.(type) {
	case map[string]any:
		if list, is := after.([]any); is && len(list) == 0 {
			return map[string]any{}
		}
		if after, is := after.(map[string]any); is {
			for key, value := range after {
				if old, known := before[key]; known {
					after[key] = cleaned(value, old)
				}
			}
		}
	case []any:
		if after, is := after.([]any); is {
			for index := range after {
				if index < len(before) {
					after[index] = cleaned(after[index], before[index])
				}
			}
		}
	}
	return after
}

// run gives what a script returns, as JSON. Libraries as in Argo CD for what argocd-cm has: package, base and table, and of os
// only time and date.
func run(script string, object map[string]any) ([]byte, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for _, library := range []struct {
		name string
		open lua.LGFunction
	}{{lua.LoadLibName, lua.OpenPackage}, {lua.BaseLibName, lua.OpenBase}, {lua.TabLibName, lua.OpenTable}} {
		call := lua.P{Fn: state.NewFunction(library.open), Protect: true}
		if err := state.CallByParam(call, lua.LString(library.name)); err != nil {
			return nil, err
		}
	}
	state.PreloadModule(lua.OsLibName, safeOS)
	within, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	state.SetContext(within)
	state.SetGlobal("obj", luajson.DecodeValue(state, object))
	if err := state.DoString(script); err != nil {
		return nil, err
	}
	returned := state.Get(-1)
	if returned.Type() != lua.LTTable {
		return nil, fmt.Errorf("a table is expected, not %s", returned.Type())
	}
	return luajson.Encode(returned)
}

// safeOS has the two functions that Argo CD leaves of the library os.
func safeOS(state *lua.LState) int {
	all := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer all.Close()
	lua.OpenOs(all)
	module := state.NewTable()
	for _, name := range []string{"time", "date"} {
		function := all.GetField(all.GetGlobal(lua.OsLibName), name).(*lua.LFunction)
		module.RawSetString(name, state.NewFunction(function.GFunction))
	}
	state.Push(module)
	return 1
}
