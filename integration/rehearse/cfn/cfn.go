// Package cfn evaluates synthesised CloudFormation templates without AWS: every resource gets the name and the attributes
// that CloudFormation would give it, and references are resolved, between stacks too. It makes nothing.
//
// It knows what the CDK app uses. Anything else is an error, not a guess.
package cfn

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Account is the AWS account that everything is in.
const Account = "123456789012"

// App are the stacks of a folder that the CDK has synthesised into.
type App struct {
	Stacks map[string]*Stack
	given  map[string]string // parameters of Parameter Store, by name
}

// Stack is one of its stacks.
type Stack struct {
	Name, Region string
	Resources    map[string]Resource

	app        *App
	parameters map[string]parameter
	conditions map[string]any
	outputs    map[string]output
	mappings   map[string]map[string]map[string]any
}

// Resource is a resource as the template has it.
type Resource struct {
	Type       string
	Properties map[string]any
	Condition  string
}

type parameter struct {
	Type    string
	Default any
}

type output struct {
	Value  any
	Export struct{ Name any }
}

// Load reads the templates in a folder. region is that of stacks that name none; given are the values of the parameters in
// Parameter Store that templates refer to.
func Load(folder, region string, given map[string]string) (*App, error) {
	app := &App{Stacks: map[string]*Stack{}, given: given}
	var manifest struct {
		Artifacts map[string]struct {
			Type, Environment, DisplayName string
			Properties                     struct{ TemplateFile, StackName string }
		}
	}
	if err := read(filepath.Join(folder, "manifest.json"), &manifest); err != nil {
		return nil, err
	}
	for id, a := range manifest.Artifacts {
		if a.Type != "aws:cloudformation:stack" {
			continue
		}
		var template struct {
			Resources  map[string]Resource
			Parameters map[string]parameter
			Conditions map[string]any
			Outputs    map[string]output
			Mappings   map[string]map[string]map[string]any
		}
		if err := read(filepath.Join(folder, a.Properties.TemplateFile), &template); err != nil {
			return nil, err
		}
		s := &Stack{
			Name: id, Region: region, app: app, Resources: template.Resources,
			parameters: template.Parameters, conditions: template.Conditions, outputs: template.Outputs, mappings: template.Mappings,
		}
		if a.Properties.StackName != "" {
			s.Name = a.Properties.StackName
		}
		if in := a.Environment[strings.LastIndex(a.Environment, "/")+1:]; in != "unknown-region" && in != "" {
			s.Region = in
		}
		for name, r := range s.Resources { // those that are not made are not there
			if r.Condition == "" {
				continue
			}
			if made, err := s.condition(map[string]any{"Condition": r.Condition}); err != nil {
				return nil, err
			} else if !made {
				delete(s.Resources, name)
			}
		}
		app.Stacks[s.Name] = s
	}
	if len(app.Stacks) == 0 {
		return nil, fmt.Errorf("cfn: %s holds no stacks", folder)
	}
	return app, nil
}

func read(name string, to any) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("cfn: %w", err)
	}
	if err := json.Unmarshal(text, to); err != nil {
		return fmt.Errorf("cfn: %s: %w", name, err)
	}
	return nil
}

// Of are the logical names of a stack's resources of a type, in order.
func (s *Stack) Of(kind string) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(s.Resources)) {
		if s.Resources[name].Type == kind {
			names = append(names, name)
		}
	}
	return names
}

// Properties are those of a resource, resolved.
func (s *Stack) Properties(name string) (map[string]any, error) {
	r, ok := s.Resources[name]
	if !ok {
		return nil, fmt.Errorf("cfn: %s has no %s", s.Name, name)
	}
	v, err := s.Resolve(r.Properties)
	if err != nil {
		return nil, fmt.Errorf("cfn: %s in %s: %w", name, s.Name, err)
	}
	resolved, _ := v.(map[string]any)
	return resolved, nil
}

// Output is the value of an output of the stack.
func (s *Stack) Output(name string) (string, error) {
	o, ok := s.outputs[name]
	if !ok {
		return "", fmt.Errorf("cfn: %s has no output %s", s.Name, name)
	}
	return s.text(o.Value)
}

// noValue is what AWS::NoValue resolves to: the property is not there.
type noValue struct{}

// Resolve replaces the references and functions in a part of the stack's template by values.
func (s *Stack) Resolve(v any) (any, error) {
	switch v := v.(type) {
	case []any:
		out := make([]any, 0, len(v))
		for _, e := range v {
			r, err := s.Resolve(e)
			if err != nil {
				return nil, err
			}
			if r != (noValue{}) {
				out = append(out, r)
			}
		}
		return out, nil
	case map[string]any:
		if len(v) == 1 {
			for name, argument := range v {
				if name == "Ref" || strings.HasPrefix(name, "Fn::") {
					return s.call(name, argument)
				}
			}
		}
		out := make(map[string]any, len(v))
		for name, e := range v {
			r, err := s.Resolve(e)
			if err != nil {
				return nil, err
			}
			if r == any(noValue{}) {
				continue
			}
			out[name] = r
		}
		return out, nil
	}
	return v, nil
}

func (s *Stack) call(name string, argument any) (any, error) {
	arguments, _ := argument.([]any)
	switch name {
	case "Ref":
		return s.ref(fmt.Sprint(argument))
	case "Fn::GetAtt":
		if len(arguments) == 2 {
			return s.attribute(fmt.Sprint(arguments[0]), fmt.Sprint(arguments[1]))
		}
	case "Fn::Join":
		if len(arguments) == 2 {
			return s.join(fmt.Sprint(arguments[0]), arguments[1])
		}
	case "Fn::Sub":
		if text, ok := argument.(string); ok {
			return s.sub(text)
		}
	case "Fn::If":
		if len(arguments) == 3 {
			holds, err := s.condition(map[string]any{"Condition": arguments[0]})
			if err != nil {
				return nil, err
			}
			if holds {
				return s.Resolve(arguments[1])
			}
			return s.Resolve(arguments[2])
		}
	case "Fn::ImportValue":
		return s.imported(argument)
	case "Fn::Split":
		if len(arguments) == 2 {
			text, err := s.text(arguments[1])
			var out []any
			for part := range strings.SplitSeq(text, fmt.Sprint(arguments[0])) {
				out = append(out, part)
			}
			return out, err
		}
	case "Fn::Select":
		return s.selected(arguments)
	case "Fn::GetAZs":
		return []any{s.Region + "a", s.Region + "b", s.Region + "c"}, nil
	case "Fn::FindInMap":
		return s.mapped(arguments)
	}
	return nil, fmt.Errorf("%s of %v is not known", name, argument)
}

func (s *Stack) text(v any) (string, error) {
	r, err := s.Resolve(v)
	if err != nil {
		return "", err
	}
	switch r := r.(type) {
	case string:
		return r, nil
	case float64, bool:
		return fmt.Sprint(r), nil
	}
	return "", fmt.Errorf("%v is no text", r)
}

func (s *Stack) join(between string, of any) (any, error) {
	r, err := s.Resolve(of)
	if err != nil {
		return nil, err
	}
	parts, ok := r.([]any)
	if !ok {
		return nil, fmt.Errorf("Fn::Join of %v", r)
	}
	var texts []string
	for _, p := range parts {
		texts = append(texts, fmt.Sprint(p))
	}
	return strings.Join(texts, between), nil
}

// sub resolves ${Name} and ${Name.Attribute}.
func (s *Stack) sub(text string) (any, error) {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		name, after, found := strings.Cut(rest, "}")
		if !found {
			return nil, fmt.Errorf("Fn::Sub of %q", text)
		}
		text = after
		if literal, ok := strings.CutPrefix(name, "!"); ok {
			out.WriteString("${" + literal + "}")
			continue
		}
		var v any
		var err error
		if of, attribute, ok := strings.Cut(name, "."); ok {
			v, err = s.attribute(of, attribute)
		} else {
			v, err = s.ref(name)
		}
		if err != nil {
			return nil, err
		}
		fmt.Fprint(&out, v)
	}
}

func (s *Stack) selected(arguments []any) (any, error) {
	if len(arguments) != 2 {
		return nil, errors.New("Fn::Select needs two arguments")
	}
	of, err := s.Resolve(arguments[1])
	if err != nil {
		return nil, err
	}
	all, _ := of.([]any)
	var i int
	if _, err := fmt.Sscan(fmt.Sprint(arguments[0]), &i); err != nil || i < 0 || i >= len(all) {
		return nil, fmt.Errorf("Fn::Select of %v from %v", arguments[0], of)
	}
	return all[i], nil
}

func (s *Stack) mapped(arguments []any) (any, error) {
	var keys [3]string
	if len(arguments) != len(keys) {
		return nil, errors.New("Fn::FindInMap needs three arguments")
	}
	for i := range keys {
		var err error
		if keys[i], err = s.text(arguments[i]); err != nil {
			return nil, err
		}
	}
	if v, ok := s.mappings[keys[0]][keys[1]][keys[2]]; ok {
		return v, nil
	}
	return nil, fmt.Errorf("Fn::FindInMap: nothing at %v", keys)
}

func (s *Stack) imported(name any) (any, error) {
	want, err := s.text(name)
	if err != nil {
		return nil, err
	}
	for _, other := range s.app.Stacks {
		if other.Region != s.Region {
			continue
		}
		for _, o := range other.outputs {
			if o.Export.Name == nil {
				continue
			}
			if export, err := other.text(o.Export.Name); err != nil {
				return nil, err
			} else if export == want {
				return other.Resolve(o.Value)
			}
		}
	}
	return nil, fmt.Errorf("no stack in %s exports %s", s.Region, want)
}

func (s *Stack) condition(v any) (bool, error) {
	c, ok := v.(map[string]any)
	if !ok || len(c) != 1 {
		return false, fmt.Errorf("condition %v is not known", v)
	}
	for name, argument := range c {
		arguments, _ := argument.([]any)
		switch name {
		case "Condition":
			of, ok := s.conditions[fmt.Sprint(argument)]
			if !ok {
				return false, fmt.Errorf("there is no condition %v", argument)
			}
			return s.condition(of)
		case "Fn::Equals":
			if len(arguments) != 2 {
				break
			}
			a, err := s.text(arguments[0])
			if err != nil {
				return false, err
			}
			b, err := s.text(arguments[1])
			return a == b, err
		case "Fn::Not":
			if len(arguments) != 1 {
				break
			}
			holds, err := s.condition(arguments[0])
			return !holds, err
		case "Fn::Or", "Fn::And":
			for _, a := range arguments {
				if holds, err := s.condition(a); err != nil || holds == (name == "Fn::Or") {
					return holds, err
				}
			}
			return name == "Fn::And", nil
		}
	}
	return false, fmt.Errorf("condition %v is not known", v)
}
